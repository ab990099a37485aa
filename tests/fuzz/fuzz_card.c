/* A hostile driver of the network card: the input is what it does, step by step, to registers, config space and memory, with
 * frames coming in between. */
#include "../support/fake_net.h"

#include <stdlib.h>
#include <string.h>

#include "../../src/base/bytes.h"
#include "gyve/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *p;
	size_t left;
};

static uint64_t take(struct input *in, unsigned n)
{
	uint8_t b[8] = {0};
	size_t k = n < in->left ? n : in->left;

	memcpy(b, in->p, k);
	in->p += k;
	in->left -= k;
	return get_le64(b);
}

static void fill_memory(struct fake_net *f, struct input *in)
{
	size_t at = take(in, 2) % FAKE_RAM, n = take(in, 1);

	n = n < in->left ? n : in->left;
	n = n < FAKE_RAM - at ? n : FAKE_RAM - at;
	memcpy(f->ram + at, in->p, n);
	in->p += n;
	in->left -= n;
}

static void step(struct fake_net *f, struct input *in)
{
	static uint8_t frame[NET_FRAME_MAX];
	uint8_t b[8];
	unsigned what = (unsigned)take(in, 1), len = 1u << (what >> 4 & 3), at;

	switch (what & 7) {
	case 0:
	case 1:
		at = (unsigned)take(in, 2);
		fake_net_write(f, at, take(in, len), len);
		break;
	case 2:
		fake_net_read(f, (unsigned)take(in, 2), len);
		break;
	case 3:
		at = (unsigned)take(in, 2);
		put_le64(b, take(in, len));
		pci_ecam_access(&f->pci, what >> 7, at, b, len);
		break;
	case 4:
		fill_memory(f, in);
		break;
	case 5:
		at = (unsigned)take(in, 2);
		fake_net_arrive(f, what & 0x80 ? frame : NULL, frame, at);
		break;
	case 6:
		put_le64(b, take(in, len));
		pci_port_access(&f->pci, what >> 7, take(in, 1) % 8, b, len);
		break;
	default:
		fake_net_run(f);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	static struct fake_net f;

	gyve_log_configure("off");
	if (fake_net_open(&f))
		abort();
	while (in.left)
		step(&f, &in);
	fake_net_run(&f);
	fake_net_close(&f);
	return 0;
}
