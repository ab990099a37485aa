/* Bytes of a hostile client into a session over a fake target.
 * The input is a list of steps: a byte n, then
 *   n = 0       the target stops; the next byte says how
 *   n < 0x80    n bytes, as they are
 *   n >= 0x80   n - 0x80 bytes, framed as a packet with a right checksum
 * Whatever comes, what goes back must be acknowledgements and whole packets. */
#include "fake_target.h"
#include "hex.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct checker {
	enum { OUTSIDE, INSIDE, HIGH, LOW } at;
	uint8_t sum, want;
	size_t len;
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_byte(struct checker *k, char c)
{
	switch (k->at) {
	case OUTSIDE:
		must(c == '+' || c == '-' || c == '$');
		if (c == '$')
			*k = (struct checker){.at = INSIDE};
		break;
	case INSIDE:
		must(c != '$');
		if (c == '#') {
			k->at = HIGH;
			break;
		}
		k->sum = (uint8_t)(k->sum + (uint8_t)c);
		must(++k->len <= GDBSTUB_PACKET_SIZE);
		break;
	case HIGH:
		must(gdbstub_hex_digit(c) >= 0);
		k->want = (uint8_t)(gdbstub_hex_digit(c) << 4);
		k->at = LOW;
		break;
	case LOW:
		must(gdbstub_hex_digit(c) >= 0 && (k->want | gdbstub_hex_digit(c)) == k->sum);
		k->at = OUTSIDE;
		break;
	}
}

/* Take some of the output: not always all of it. */
static void drain(struct gdbstub *s, struct checker *k, size_t max)
{
	const void *p;
	size_t n = gdbstub_output(s, &p);

	if (n > max)
		n = max;
	for (size_t i = 0; i < n; i++)
		check_byte(k, ((const char *)p)[i]);
	gdbstub_sent(s, n);
}

static void stop(struct gdbstub *s, struct fake_target *f, uint8_t how)
{
	struct gdbstub_stop what = {
		.kind = how % (GDBSTUB_STOP_KILLED + 1u), .tid = how / 16 % FAKE_THREADS + 1, .signal = 5, .addr = how};

	f->running = false;
	gdbstub_report_stop(s, &what);
}

static int feed_packet(struct gdbstub *s, const uint8_t *p, size_t n)
{
	char frame[0x80 + 4];
	uint8_t sum = 0;

	frame[0] = '$';
	for (size_t i = 0; i < n; i++) {
		frame[1 + i] = (char)p[i];
		sum = (uint8_t)(sum + p[i]);
	}
	frame[1 + n] = '#';
	gdbstub_hex_encode(frame + 2 + n, &sum, 1);
	return gdbstub_feed(s, frame, n + 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fake_target f;
	struct checker k = {.at = OUTSIDE};
	struct gdbstub *s;

	fake_target_init(&f);
	s = gdbstub_create(&fake_arch, &fake_ops, &f);
	must(s != NULL);
	while (size > 0) {
		uint8_t op = *data++;
		size_t n = op & 0x7f;
		int ret = 0;
		size--;
		if (n > size)
			n = size;
		if (op == 0) {
			n = size ? 1 : 0;
			stop(s, &f, n ? data[0] : 0);
		} else {
			ret = op & 0x80 ? feed_packet(s, data, n) : gdbstub_feed(s, data, n);
		}
		data += n;
		size -= n;
		drain(s, &k, 1000);
		if (ret < 0)
			break;
	}
	drain(s, &k, SIZE_MAX);
	must(k.at == OUTSIDE);
	gdbstub_disconnect(s);
	gdbstub_destroy(s);
	return 0;
}
