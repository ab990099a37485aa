/* What a kernel file and a user's device tree may hold: byte 0 says which of them the rest is: 2 an x86 kernel, odd a tree,
 * else an arm64 kernel. */
#include "../../src/linux/arm64.h"
#include "../../src/linux/x86_64.h"

#include <libfdt.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void image(const uint8_t *data, size_t size)
{
	struct arm64_image im;
	bool taken = arm64_image_probe(data, size);

	if (arm64_image_open(&im, data, size, 1 << 20, NULL) < 0)
		return;
	if (!taken || im.text_offset >= 2 << 20 || im.image_size < im.size || im.size < 64)
		abort();
	volatile uint8_t last = im.data[im.size - 1];
	(void)last;
	arm64_image_close(&im);
}

static void tree(const uint8_t *data, size_t size)
{
	static uint64_t out[4096]; /* aligned as trees are to be */
	struct arm64_fdt f = {.dtb = data,
			      .dtb_len = size,
			      .ram_len = 1 << 28,
			      .ncpus = 2,
			      .nvirtio = 2,
			      .bootargs = "quiet",
			      .initrd = 0x48000000,
			      .initrd_len = 1};

	if (arm64_fdt_write(&f, out, sizeof(out), NULL) == 0 && fdt_check_full(out, sizeof(out)) != 0)
		abort();
}

static void kernel(struct x86_image *im)
{
	static uint8_t mem[1 << 20];
	struct gyve_memmap map;
	uint64_t n = im->len < sizeof(mem) ? im->len : sizeof(mem);

	if (x86_image_unpack(im, sizeof(mem), NULL) < 0)
		return;
	gyve_memmap_init(&map);
	if (gyve_memmap_add(&map, im->load, n, mem, GYVE_REGION_RAM, "ram") == 0 &&
	    gyve_elf_copy(im->elf, &map, 0, true, NULL) == 0) {
		x86_image_move(im, 0x123456789abcdef);
		x86_image_relocate(im, &map, NULL);
	}
	gyve_memmap_deinit(&map);
	x86_image_close(im);
}

static void bzimage(const uint8_t *data, size_t size)
{
	struct gyve_elf elf = {.data = data, .size = size};
	struct x86_image im;

	if (!x86_image_probe(&elf) || x86_image_open(&im, &elf, NULL) < 0)
		return;
	if (im.kernel_at >= size || im.len < size - im.kernel_at || im.load < X86_HIGH)
		abort();
	kernel(&im);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	/* a copy of its own, so that a byte too many is seen; aligned as files are */
	uint8_t *p = malloc(size);
	if (!p)
		return 0;
	for (size_t i = 1; i < size; i++)
		p[i - 1] = data[i];
	if (data[0] == 2)
		bzimage(p, size - 1);
	else if (data[0] & 1)
		tree(p, size - 1);
	else
		image(p, size - 1);
	free(p);
	return 0;
}
