/* RawBootInfo: 128 bytes, layout by architecture. */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "../base/bytes.h"
#include "hermit.h"

enum { PLATFORM_UHYVE = 1, SERIAL_V1 = 0x800, SERIAL_V2 = 0x1030 };

int hermit_write_boot_info(const struct hermit *h, struct gyve_err *err)
{
	uint8_t *p = gyve_memmap_ptr(h->map, h->ga + HERMIT_BOOT_INFO, HERMIT_BOOT_INFO_SIZE);
	bool x86 = h->elf->machine == EM_X86_64;
	uint64_t serial = h->interface == 1 ? SERIAL_V1 : SERIAL_V2;
	struct timespec now;

	if (!p)
		return gyve_err_set(err, -ENOEXEC, "guest memory is missing");
	memset(p, 0, HERMIT_BOOT_INFO_SIZE);
	put_le64(p, h->ga);
	put_le64(p + 8, h->ga + h->ram_len);
	if (x86)
		put_le16(p + 16, (uint16_t)serial);
	else
		put_le64(p + 16, serial);
	put_le64(p + 24, h->ga + HERMIT_FDT);
	put_le64(p + 32, h->ka);
	put_le64(p + 40, hermit_image_end(h));
	if (h->elf->tls.present) {
		put_le64(p + 48, h->elf->tls.vaddr + (h->elf->dyn ? h->ka : 0));
		put_le64(p + 56, h->elf->tls.filesz);
		put_le64(p + 64, h->elf->tls.memsz);
		put_le64(p + 72, h->elf->tls.align);
	}
	put_le32(p + 80, PLATFORM_UHYVE);
	p[88] = x86 || h->params->net; /* PCI */
	put_le64(p + 96, h->params->ncpus);
	put_le32(p + 104, x86 ? h->params->tsc_khz : 0);
	clock_gettime(CLOCK_REALTIME, &now);
	put_le64(p + (x86 ? 112 : 108),
		 (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec); /* the upper half is 0 until 2554 */
	return 0;
}
