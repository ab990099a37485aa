/* What all network back ends share: opening one, the capture of frames. */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "../base/bytes.h"
#include "../base/io.h"

/* pcap, with nanoseconds: the file's header, and one before each frame. */
enum { PCAP_HEADER = 24, PCAP_RECORD = 16, PCAP_ETHERNET = 1 };

static int open_capture(struct gyve_net *n, const char *path, struct gyve_err *err)
{
	uint8_t h[PCAP_HEADER] = {0};

	n->pcap = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	put_le32(h, 0xa1b23c4d);
	put_le16(h + 4, 2);
	put_le16(h + 6, 4);
	put_le32(h + 16, NET_FRAME_MAX);
	put_le32(h + 20, PCAP_ETHERNET);
	int r = n->pcap < 0 ? -errno : gyve_write_all(n->pcap, h, sizeof(h));
	return r < 0 ? gyve_err_set(err, r, "cannot capture the network to %s: %s", path, strerror(-r)) : 0;
}

static void capture(struct gyve_net *n, const uint8_t *frame, size_t len)
{
	struct timespec now;
	uint8_t h[PCAP_RECORD];
	struct iovec v[2] = {{h, sizeof(h)}, {(void *)(uintptr_t)frame, len}};

	clock_gettime(CLOCK_REALTIME, &now);
	put_le32(h, (uint32_t)now.tv_sec);
	put_le32(h + 4, (uint32_t)now.tv_nsec);
	put_le32(h + 8, (uint32_t)len);
	put_le32(h + 12, (uint32_t)len);
	if (writev(n->pcap, v, 2) != (ssize_t)(sizeof(h) + len)) { /* the disk is full: a whole file up to here */
		close(n->pcap);
		n->pcap = -1;
	}
}

bool net_receive(struct gyve_net *n, const uint8_t *header, const uint8_t *frame, size_t len)
{
	if (len < NET_FRAME_MIN || len > NET_FRAME_MAX)
		return true;
	if (!n->receive(n->card, header, frame, len))
		return false;
	if (n->pcap >= 0)
		capture(n, frame, len);
	return true;
}

/* Where the guest left it to us: the sum of everything from start on, which holds that of the pseudo header already. */
static void complete_checksum(uint8_t *header, uint8_t *frame, size_t len)
{
	size_t start = get_le16(header + 6), at = start + get_le16(header + 8);
	uint64_t sum = 0;

	memset(header, 0, NET_HEADER);
	if (start >= len || at + 2 > len)
		return;
	size_t i = start;
	for (; i + 1 < len; i += 2)
		sum += get_le16(frame + i);
	if (i < len)
		sum += frame[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	uint16_t whole = (uint16_t)~sum;
	put_le16(frame + at, whole ? whole : 0xffff); /* UDP's 0 would mean none */
}

void net_send(struct gyve_net *n, uint8_t *header, uint8_t *frame, size_t len)
{
	if (header[0] & NET_NEEDS_CSUM && !n->checksums)
		complete_checksum(header, frame, len);
	if (n->pcap >= 0)
		capture(n, frame, len);
	n->ops->send(n, header, frame, len);
}

int gyve_net_open(struct gyve_net **ret, const struct gyve_net_options *o, struct gyve_err *err)
{
	struct gyve_net *n = NULL;
	int r = o->kind == GYVE_NET_TAP ? net_tap_open(&n, o, err) : net_user_open(&n, o, err);

	if (r < 0)
		return r;
	n->pcap = -1;
	if (o->mac_given)
		memcpy(n->mac, o->mac, sizeof(n->mac));
	if (o->pcap && (r = open_capture(n, o->pcap, err)) < 0) {
		gyve_net_close(n);
		return r;
	}
	*ret = n;
	return 0;
}

void gyve_net_close(struct gyve_net *n)
{
	if (!n)
		return;
	if (n->pcap >= 0)
		close(n->pcap);
	n->ops->close(n);
}
