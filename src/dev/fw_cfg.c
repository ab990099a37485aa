/* See fw_cfg.h; docs/specs/fw_cfg.rst and vmcoreinfo.rst of QEMU. */
#include "fw_cfg.h"

#include "../base/bytes.h"
#include "gyve/log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { REG_DATA = 0, REG_SELECT = 8, REG_DMA = 16 };
enum { KEY_SIGNATURE = 0, KEY_ID = 1, KEY_DIRECTORY = 0x19, KEY_VMCOREINFO = 0x20, KEY_NONE = 0xffff };
enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16 };
enum { DIRECTORY_LEN = 4 + 64, INFO_LEN = 16, FORMAT_ELF = 1 };

struct fw_cfg {
	const struct gyve_memmap *map;
	pthread_mutex_t lock;
	uint16_t key;
	uint32_t offset; /* in what key selects */
	uint8_t dma[8];  /* the register, as its halves come */
	uint8_t directory[DIRECTORY_LEN];
	uint8_t info[INFO_LEN]; /* host format, guest format, length, address; little-endian */
};

static uint64_t be(const uint8_t *p, unsigned len)
{
	uint64_t v = 0;

	while (len--)
		v = v << 8 | *p++;
	return v;
}

/* What key selects. NULL: nothing. */
static const uint8_t *item(const struct fw_cfg *f, uint32_t *len)
{
	static const uint8_t signature[] = {'Q', 'E', 'M', 'U'}, id[] = {3, 0, 0, 0}; /* the plain interface and DMA */

	switch (f->key) {
	case KEY_SIGNATURE:
		*len = sizeof(signature);
		return signature;
	case KEY_ID:
		*len = sizeof(id);
		return id;
	case KEY_DIRECTORY:
		*len = DIRECTORY_LEN;
		return f->directory;
	case KEY_VMCOREINFO:
		*len = INFO_LEN;
		return f->info;
	}
	*len = 0;
	return NULL;
}

static void select_key(struct fw_cfg *f, uint16_t key)
{
	f->key = key;
	f->offset = 0;
}

/* Bytes behind an item's end read 0. */
static void read_bytes(struct fw_cfg *f, uint8_t *buf, uint32_t n)
{
	uint32_t len;
	const uint8_t *p = item(f, &len);

	for (uint32_t i = 0; i < n; i++)
		buf[i] = f->offset < len ? p[f->offset++] : 0;
}

/* --- DMA */

/* Guest memory gets the rest of an item, and zeros: a piece at a time, however long the guest says it is. */
static bool dma_read(struct fw_cfg *f, gyve_gpa_t gpa, uint32_t n)
{
	uint8_t piece[256];

	while (n) {
		uint32_t k = n < sizeof(piece) ? n : (uint32_t)sizeof(piece);
		read_bytes(f, piece, k);
		if (gyve_memmap_write(f->map, gpa, piece, k) != k)
			return false;
		gpa += k;
		n -= k;
	}
	return true;
}

static bool dma_write(struct fw_cfg *f, gyve_gpa_t gpa, uint32_t n)
{
	uint8_t in[INFO_LEN];

	if (f->key != KEY_VMCOREINFO || f->offset || n != INFO_LEN || gyve_memmap_read(f->map, gpa, in, n) != n)
		return false;
	memcpy(f->info, in, n);
	f->offset = n;
	gyve_log(GYVE_LOG_INFO, GYVE_LOG_DEV, "the guest's VMCOREINFO is at 0x%" PRIx64 ", %" PRIu32 " bytes",
		 get_le64(f->info + 8), get_le32(f->info + 4));
	return true;
}

/* struct { control, length: 32 bits, address: 64 bits }, big-endian; 0 in control says it is done. */
static void dma(struct fw_cfg *f)
{
	gyve_gpa_t at = be(f->dma, 8);
	uint8_t op[16], done[4] = {0};
	bool ok = true;

	if (gyve_memmap_read(f->map, at, op, sizeof(op)) != sizeof(op))
		return;
	uint32_t control = (uint32_t)be(op, 4), len = (uint32_t)be(op + 4, 4);
	gyve_gpa_t gpa = be(op + 8, 8);
	if (control & DMA_SELECT)
		select_key(f, (uint16_t)(control >> 16));
	if (control & DMA_READ)
		ok = dma_read(f, gpa, len);
	else if (control & DMA_WRITE)
		ok = dma_write(f, gpa, len);
	else if (control & DMA_SKIP)
		f->offset = len < UINT32_MAX - f->offset ? f->offset + len : UINT32_MAX;
	done[3] = ok ? 0 : DMA_ERROR;
	gyve_memmap_write(f->map, at, done, sizeof(done));
}

/* --- registers: big-endian but for the data */

void fw_cfg_access(void *dev, bool write, uint64_t offset, void *data, unsigned len)
{
	struct fw_cfg *f = dev;
	static const uint8_t dma_signature[] = {'Q', 'E', 'M', 'U', ' ', 'C', 'F', 'G'};

	if (!write)
		memset(data, 0, len);
	pthread_mutex_lock(&f->lock);
	if (!write && offset < REG_SELECT)
		read_bytes(f, data, len);
	else if (!write && offset >= REG_DMA && offset + len <= REG_DMA + 8)
		memcpy(data, dma_signature + (offset - REG_DMA), len);
	else if (write && offset == REG_SELECT && len == 2)
		select_key(f, (uint16_t)be(data, 2));
	else if (write && offset >= REG_DMA && offset + len <= REG_DMA + 8 && (len == 4 || len == 8)) {
		memcpy(f->dma + (offset - REG_DMA), data, len);
		if (offset + len == REG_DMA + 8) { /* the lower half starts it */
			dma(f);
			memset(f->dma, 0, sizeof(f->dma));
		}
	}
	pthread_mutex_unlock(&f->lock);
}

/* There the key is little-endian. */
void fw_cfg_port_access(void *dev, bool write, uint64_t offset, void *data, unsigned len)
{
	uint8_t *p = data;
	uint8_t key[2];

	if (offset >= 4) {
		fw_cfg_access(dev, write, REG_DMA + offset - 4, data, len);
	} else if (offset == 1) {
		fw_cfg_access(dev, write, REG_DATA, data, len);
	} else if (write && offset == 0 && len == 2) {
		key[0] = p[1];
		key[1] = p[0];
		fw_cfg_access(dev, true, REG_SELECT, key, 2);
	} else if (!write) {
		memset(data, 0xff, len);
	}
}

bool fw_cfg_vmcoreinfo(struct fw_cfg *f, gyve_gpa_t *gpa, uint32_t *len)
{
	pthread_mutex_lock(&f->lock);
	bool there = get_le16(f->info + 2) == FORMAT_ELF && get_le32(f->info + 4);
	*gpa = get_le64(f->info + 8);
	*len = get_le32(f->info + 4);
	pthread_mutex_unlock(&f->lock);
	return there;
}

/* --- life */

void fw_cfg_reset(struct fw_cfg *f)
{
	pthread_mutex_lock(&f->lock);
	select_key(f, KEY_NONE);
	memset(f->dma, 0, sizeof(f->dma));
	memset(f->info, 0, sizeof(f->info));
	put_le16(f->info, FORMAT_ELF);
	pthread_mutex_unlock(&f->lock);
}

int fw_cfg_create(struct fw_cfg **ret, const struct gyve_memmap *map)
{
	struct fw_cfg *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->map = map;
	pthread_mutex_init(&f->lock, NULL);
	f->directory[3] = 1;        /* files */
	f->directory[7] = INFO_LEN; /* of the first: length, key, reserved, name */
	f->directory[9] = KEY_VMCOREINFO;
	memcpy(f->directory + 12, "etc/vmcoreinfo", 14);
	fw_cfg_reset(f);
	*ret = f;
	return 0;
}

void fw_cfg_destroy(struct fw_cfg *f)
{
	if (!f)
		return;
	pthread_mutex_destroy(&f->lock);
	free(f);
}
