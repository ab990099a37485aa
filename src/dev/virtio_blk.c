/* See virtio_blk.h; VIRTIO 1.2, 5.2. */
#include "virtio_blk.h"

#include "../base/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { QUEUE_SIZE = 128, SECTOR = 512, CONFIG_LEN = 60, HEADER = 16, ID_LEN = 20 };
#define F_SEG_MAX (1ull << 2)
#define F_RO (1ull << 5)
#define F_BLK_SIZE (1ull << 6)
#define F_FLUSH (1ull << 9)
enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2 };

struct virtio_blk {
	struct virtio d;
	struct disk *disk;
	char id[ID_LEN];
	uint8_t config[CONFIG_LEN];
	struct virtq_chain chain;
	struct iovec data[VIRTQ_PIECES_MAX];
};

/* Between header and status; in *data_len what it moved to the guest. */
static uint8_t transfer(struct virtio_blk *b, uint32_t type, uint64_t sector, uint32_t *moved)
{
	const struct virtq_chain *c = &b->chain;
	bool in = type == T_IN;
	uint64_t len = in ? c->in_len - 1 : c->out_len - HEADER, at;
	unsigned n;

	if (len % SECTOR || len > UINT32_MAX - 1 || __builtin_mul_overflow(sector, SECTOR, &at))
		return S_IOERR;
	n = virtq_slice(c, in, in ? 0 : HEADER, len, b->data, VIRTQ_PIECES_MAX);
	if ((in ? disk_read(b->disk, at, b->data, n) : disk_write(b->disk, at, b->data, n)) < 0)
		return S_IOERR;
	*moved = in ? (uint32_t)len : 0;
	return S_OK;
}

static uint8_t get_id(struct virtio_blk *b, uint32_t *moved)
{
	size_t room = b->chain.in_len - 1 < ID_LEN ? (size_t)(b->chain.in_len - 1) : ID_LEN;

	*moved = (uint32_t)virtq_write(&b->chain, 0, b->id, room);
	return S_OK;
}

/* Returns the bytes written to the guest's buffers; the status is their last. */
static int carry_out(struct virtio_blk *b, uint32_t *written)
{
	struct virtq_chain *c = &b->chain;
	uint8_t header[HEADER], status = S_UNSUPP;
	uint32_t moved = 0;

	if (virtq_read(c, 0, header, sizeof(header)) != sizeof(header) || !c->in_len)
		return -EINVAL;
	uint32_t type = get_le32(header);
	if (type == T_IN || type == T_OUT)
		status = transfer(b, type, get_le64(header + 8), &moved);
	else if (type == T_FLUSH)
		status = disk_flush(b->disk) < 0 ? S_IOERR : S_OK;
	else if (type == T_GET_ID)
		status = get_id(b, &moved);
	virtq_write(c, c->in_len - 1, &status, 1);
	*written = moved + 1;
	return 0;
}

static void queue(struct virtio *d, unsigned q)
{
	struct virtio_blk *b = (struct virtio_blk *)d;
	uint32_t written;

	do
		while (virtio_pop(d, q, &b->chain) > 0) {
			if (carry_out(b, &written) < 0) {
				virtio_broken(d, "a request without a header or without room for its status");
				return;
			}
			virtq_push(&d->queue[q], b->chain.head, written);
			virtio_done(d, q);
		}
	while (virtq_want_notify(&d->queue[q], true));
}

static void config_read(struct virtio *d, uint64_t offset, void *buf, unsigned len)
{
	const struct virtio_blk *b = (const struct virtio_blk *)d;

	if (offset < CONFIG_LEN)
		memcpy(buf, b->config + offset, len < CONFIG_LEN - offset ? len : (size_t)(CONFIG_LEN - offset));
}

static const struct virtio_ops ops = {.name = "virtio-blk", .id = VIRTIO_ID_BLOCK, .config_read = config_read, .queue = queue};

int virtio_blk_create(struct virtio **ret, const struct gyve_dev_host *host, struct disk *disk, const char *id)
{
	struct virtio_blk *b = calloc(1, sizeof(*b));
	uint64_t features = F_SEG_MAX | F_BLK_SIZE | F_FLUSH | (disk_readonly(disk) ? F_RO : 0);
	int r = b ? virtio_init(&b->d, &ops, host, features, 1, QUEUE_SIZE) : -ENOMEM;

	if (r < 0) {
		disk_close(disk);
		free(b);
		return r;
	}
	b->disk = disk;
	memcpy(b->id, id, strnlen(id, ID_LEN));
	put_le64(b->config, disk_size(disk) / SECTOR);
	put_le32(b->config + 12, QUEUE_SIZE - 2); /* pieces of data in a request */
	put_le32(b->config + 20, SECTOR);
	*ret = &b->d;
	return 0;
}

void virtio_blk_destroy(struct virtio *d)
{
	if (!d)
		return;
	virtio_deinit(d);
	disk_close(((struct virtio_blk *)d)->disk);
	free(d);
}
