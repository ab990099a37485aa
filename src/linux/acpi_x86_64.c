/* ACPI tables: what tells a kernel of processors, interrupt controllers, how to switch off, and of the devices that no bus
 * finds. Advanced Configuration and Power Interface Specification 6.4, chapters 5 (tables), 6.4 (resources) and 20 (AML). */
#include "x86_64.h"

#include "../base/bytes.h"
#include "../dev/virtio_mmio.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TABLE_MAX = 8192, HEADER = 36, CHECKSUM = 9 };

/* A table as it grows. What does not fit is not written; len says so. */
struct table {
	uint8_t p[TABLE_MAX];
	size_t len;
};

static void put(struct table *t, const void *data, size_t n)
{
	if (t->len + n <= TABLE_MAX)
		memcpy(t->p + t->len, data, n);
	t->len += n;
}

static void put_int(struct table *t, uint64_t v, unsigned bytes)
{
	put(t, &v, bytes);
}

static void header(struct table *t, const char *signature, unsigned revision)
{
	memset(t, 0, sizeof(*t));
	put(t, signature, 4);
	put_int(t, 0, 4); /* length */
	put_int(t, revision, 1);
	put_int(t, 0, 1);             /* checksum */
	put(t, "GYVE  GYVE    ", 14); /* who made it, and which */
	put_int(t, 1, 4);
	put(t, "GYVE", 4);
	put_int(t, 1, 4);
}

static uint8_t sum(const uint8_t *p, size_t n)
{
	uint8_t s = 0;

	while (n--)
		s = (uint8_t)(s + *p++);
	return (uint8_t)-s;
}

/* --- DSDT */

enum {
	OP_NAME = 0x08,
	OP_BYTE = 0x0a,
	OP_DWORD = 0x0c,
	OP_STRING = 0x0d,
	OP_SCOPE = 0x10,
	OP_BUFFER = 0x11,
	OP_PACKAGE = 0x12,
	OP_EXT = 0x5b,
	OP_DEVICE = 0x82
};

/* A term whose length comes first: it is known at its end. Always the two-byte form. */
static size_t open_term(struct table *t)
{
	put_int(t, 0, 2);
	return t->len - 2;
}

static void close_term(struct table *t, size_t at)
{
	size_t n = t->len - at;

	if (t->len <= TABLE_MAX) {
		t->p[at] = (uint8_t)(0x40 | (n & 0xf));
		t->p[at + 1] = (uint8_t)(n >> 4);
	}
}

static void name(struct table *t, const char *seg)
{
	put_int(t, OP_NAME, 1);
	put(t, seg, 4);
}

static size_t open_device(struct table *t, const char *seg)
{
	put_int(t, OP_EXT | OP_DEVICE << 8, 2);
	size_t at = open_term(t);

	put(t, seg, 4);
	return at;
}

static void hid_string(struct table *t, const char *id)
{
	name(t, "_HID");
	put_int(t, OP_STRING, 1);
	put(t, id, strlen(id) + 1);
}

static void uid(struct table *t, unsigned n)
{
	name(t, "_UID");
	put_int(t, OP_BYTE | n << 8, 2);
}

/* Name (_CRS, Buffer () {resources, end tag}) */
static void resources(struct table *t, const uint8_t *p, size_t n)
{
	name(t, "_CRS");
	put_int(t, OP_BUFFER, 1);
	size_t at = open_term(t);

	put_int(t, OP_BYTE | (n + 2) << 8, 2);
	put(t, p, n);
	put_int(t, 0x79, 2);
	close_term(t, at);
}

static void serial_port(struct table *t)
{
	static const uint8_t what[] = {0x47,
				       1,
				       X86_COM1 & 0xff,
				       X86_COM1 >> 8,
				       X86_COM1 & 0xff,
				       X86_COM1 >> 8,
				       1,
				       8, /* ports */
				       0x22,
				       1 << X86_COM1_IRQ,
				       0};
	size_t at = open_device(t, "COM1");

	name(t, "_HID");
	put_int(t, OP_DWORD, 1);
	put_int(t, 0x0105d041, 4); /* PNP0501 */
	uid(t, 1);
	resources(t, what, sizeof(what));
	close_term(t, at);
}

static void fw_cfg(struct table *t)
{
	static const uint8_t what[] = {0x47,           1, X86_FWCFG & 0xff, X86_FWCFG >> 8, X86_FWCFG & 0xff,
				       X86_FWCFG >> 8, 1, X86_FWCFG_LEN};
	size_t at = open_device(t, "FWCF");

	hid_string(t, "QEMU0002");
	resources(t, what, sizeof(what));
	close_term(t, at);
}

static void virtio(struct table *t, unsigned n)
{
	uint8_t what[21] = {0x86, 9, 0, 1 /* read and write */, [12] = 0x89, 6, 0, 1 /* level, high */, 1};
	char seg[8];

	put_le32(what + 4, (uint32_t)X86_VIRTIO + n * VIRTIO_MMIO_LEN);
	put_le32(what + 8, VIRTIO_MMIO_LEN);
	put_le32(what + 17, X86_VIRTIO_IRQ + n);
	snprintf(seg, sizeof(seg), "VR%02u", n % 100);
	size_t at = open_device(t, seg);

	hid_string(t, "LNRO0005");
	uid(t, n);
	name(t, "_CCA"); /* its DMA sees the caches */
	put_int(t, 1, 1);
	resources(t, what, sizeof(what));
	close_term(t, at);
}

static void write_dsdt(struct table *t, unsigned nvirtio)
{
	static const uint8_t soft_off[] = {OP_PACKAGE, 8, 4, OP_BYTE, 5, OP_BYTE, 5, 0, 0};

	header(t, "DSDT", 2);
	name(t, "_S5_"); /* power-off is sleep type 5 */
	put(t, soft_off, sizeof(soft_off));
	put_int(t, OP_SCOPE, 1);
	size_t at = open_term(t);

	put(t, "\\_SB_", 5);
	serial_port(t);
	fw_cfg(t);
	for (unsigned i = 0; i < nvirtio; i++)
		virtio(t, i);
	close_term(t, at);
}

/* --- the others */

static void gas_port(uint8_t *p, unsigned port, unsigned bits)
{
	p[0] = 1; /* I/O space */
	p[1] = (uint8_t)bits;
	p[3] = bits == 8 ? 1 : bits == 16 ? 2 : 3;
	put_le64(p + 4, port);
}

static void write_fadt(struct table *t, uint64_t facs, uint64_t dsdt)
{
	enum { LEGACY = 1, NO_VGA = 4, NO_CMOS = 32 };
	enum { WBINVD = 1, C1 = 4, NO_POWER_BUTTON = 16, NO_SLEEP_BUTTON = 32, TIMER_32 = 256, RESET = 1024 };
	uint8_t *p = t->p;

	header(t, "FACP", 5);
	t->len = 268;
	put_le32(p + 36, (uint32_t)facs);
	put_le32(p + 40, (uint32_t)dsdt);
	put_le16(p + 46, X86_SCI);
	put_le32(p + 56, X86_PM);        /* PM1a events: status, enable */
	put_le32(p + 64, X86_PM + 4);    /* PM1a control */
	put_le32(p + 76, X86_PM + 8);    /* timer */
	p[88] = 4, p[89] = 2, p[91] = 4; /* their lengths */
	put_le16(p + 96, 0xfff);         /* no C2, */
	put_le16(p + 98, 0xfff);         /* no C3 */
	put_le16(p + 109, LEGACY | NO_VGA | NO_CMOS);
	put_le32(p + 112, WBINVD | C1 | NO_POWER_BUTTON | NO_SLEEP_BUTTON | TIMER_32 | RESET);
	gas_port(p + 116, 0xcf9, 8);
	p[128] = 6; /* reset value */
	put_le64(p + 132, facs);
	put_le64(p + 140, dsdt);
	gas_port(p + 148, X86_PM, 32);
	gas_port(p + 172, X86_PM + 4, 16);
	gas_port(p + 208, X86_PM + 8, 32);
}

static void write_madt(struct table *t, unsigned ncpus)
{
	header(t, "APIC", 4);
	put_int(t, 0xfee00000, 4);
	put_int(t, 1, 4); /* there are 8259s as well */
	for (unsigned i = 0; i < ncpus; i++) {
		put_int(t, 8 << 8, 2); /* local APIC */
		put_int(t, i | i << 8, 2);
		put_int(t, 1, 4);
	}
	put_int(t, 1 | 12 << 8, 4); /* I/O APIC, with id 0 */
	put_int(t, 0xfec00000, 4);
	put_int(t, 0, 4);
	put_int(t, 2 | 10 << 8 | X86_SCI << 24, 4); /* the SCI is level-triggered, active high */
	put_int(t, X86_SCI, 4);
	put_int(t, 0xd, 2);
	put_int(t, 4 | 6 << 8 | 0xff << 16, 3); /* NMI at LINT1 of all */
	put_int(t, 0, 2);
	put_int(t, 1, 1);
}

static void write_facs(struct table *t)
{
	memset(t, 0, sizeof(*t));
	put(t, "FACS", 4);
	put_int(t, 64, 4);
	t->p[32] = 1; /* version */
	t->len = 64;
}

/* --- all of them, one behind the other */

struct place {
	const struct gyve_memmap *map;
	uint64_t at;
	bool failed;
};

static uint64_t place(struct place *where, struct table *t)
{
	uint64_t at = where->at;

	if (memcmp(t->p, "FACS", 4) != 0) {
		put_le32(t->p + 4, (uint32_t)t->len);
		t->p[CHECKSUM] = 0;
		t->p[CHECKSUM] = sum(t->p, t->len < TABLE_MAX ? t->len : TABLE_MAX);
	}
	if (t->len > TABLE_MAX || at + t->len > X86_HIGH || gyve_memmap_write(where->map, at, t->p, t->len) != (ssize_t)t->len)
		where->failed = true;
	where->at = align_up(at + t->len, 64);
	return at;
}

static void write_rsdp(uint8_t p[36], uint64_t xsdt)
{
	memset(p, 0, 36);
	memcpy(p, "RSD PTR ", 8);
	memcpy(p + 9, "GYVE  ", 6);
	p[15] = 2;
	put_le32(p + 20, 36);
	put_le64(p + 24, xsdt);
	p[8] = sum(p, 20);
	p[32] = sum(p, 36);
}

int x86_acpi_write(const struct gyve_memmap *map, unsigned ncpus, unsigned nvirtio, uint64_t *rsdp, struct gyve_err *err)
{
	struct place where = {map, X86_ACPI + 64, false}; /* the RSDP comes first */
	uint64_t facs, dsdt, fadt, madt, xsdt;
	struct table t;
	uint8_t root[36];

	write_facs(&t);
	facs = place(&where, &t);
	write_dsdt(&t, nvirtio);
	dsdt = place(&where, &t);
	write_fadt(&t, facs, dsdt);
	fadt = place(&where, &t);
	write_madt(&t, ncpus);
	madt = place(&where, &t);
	header(&t, "XSDT", 1);
	put_int(&t, fadt, 8);
	put_int(&t, madt, 8);
	xsdt = place(&where, &t);
	write_rsdp(root, xsdt);
	*rsdp = X86_ACPI;
	if (where.failed || gyve_memmap_write(map, X86_ACPI, root, sizeof(root)) != sizeof(root))
		return gyve_err_set(err, -ENOMEM, "guest memory is missing");
	return 0;
}
