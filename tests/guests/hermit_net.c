/* ARP, IPv4 and just enough TCP for tests of the network card. Words of the command line:
 *	put MY-ADDRESS PEER PORT BYTES [OPTION...]	connect, send the pattern
 *	get MY-ADDRESS PEER PORT BYTES [OPTION...]	connect, receive the pattern, which has to be all of it
 *	echo MY-ADDRESS PORT [OPTION...]		wait for a connection, send back what comes
 * OPTION: plain (no checksum offload, no merged buffers). Byte i of the pattern is a function of i % PERIOD.
 * Exit code 0: it went well.
 */
#include "net_guest.h"

enum { PERIOD = 65528, BUFFER = 2048, SLOTS = 64, HEADERS = 14 + 20 + 20, WINDOW_SIZE = 65000, ECHO_MAX = 1460 };
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };
enum { CLOSED, LISTEN, SYN_SENT, OPEN };

static uint8_t pattern[2 * PERIOD] __attribute__((aligned(64)));
static uint8_t rx_mem[RING][BUFFER] __attribute__((aligned(64)));
static uint8_t tx_mem[SLOTS][NET_HDR + HEADERS + 12 + ECHO_MAX];
static uint8_t my_mac[6], peer_mac[6];
static uint32_t my_ip, peer_ip, iss, snd_una, snd_nxt, rcv_nxt;
static uint16_t my_port, peer_port, tx_made, tx_done, peer_window;
static uint64_t mss, received, wrong;
static int state, peer_known, fin_received, ack_due, echoing, duplicates, failed_reset;

/* --- sending */

static void reclaim(void)
{
	tx_done = rings[TX].used.idx;
}

/* A slot for a frame of n bytes in the slot, then m of payload (not copied). */
static void send(uint8_t *slot, uint64_t n, const uint8_t *payload, uint64_t m)
{
	unsigned i = tx_made % SLOTS;
	struct vring_desc *d = &rings[TX].desc[2 * i];

	d[0] = (struct vring_desc){(uint64_t)slot, (uint32_t)(NET_HDR + n), m ? 1 : 0, (uint16_t)(2 * i + 1)};
	d[1] = (struct vring_desc){(uint64_t)payload, (uint32_t)m, 0, 0};
	tx_made++;
	offer(TX, (uint16_t)(2 * i));
	notify(TX);
}

static uint8_t *slot(void)
{
	while ((uint16_t)(tx_made - tx_done) >= SLOTS)
		reclaim();
	uint8_t *s = tx_mem[tx_made % SLOTS];
	for (int i = 0; i < NET_HDR; i++)
		s[i] = 0;
	return s;
}

static void ethernet(uint8_t *f, const uint8_t *to, uint16_t type)
{
	copy(f, to, 6);
	copy(f + 6, my_mac, 6);
	put16(f + 12, type);
}

static void send_arp(int op, const uint8_t *to)
{
	static const uint8_t all[6] = {255, 255, 255, 255, 255, 255};
	uint8_t *s = slot(), *f = s + NET_HDR, *a = f + 14;

	ethernet(f, op == 1 ? all : to, 0x0806);
	put32(a, 0x00010800);
	put32(a + 4, 0x06040000 | (uint32_t)op);
	copy(a + 8, my_mac, 6);
	put32(a + 14, my_ip);
	copy(a + 18, op == 1 ? (const uint8_t[6]){0} : to, 6);
	put32(a + 24, peer_ip);
	for (int i = 42; i < 60; i++)
		f[i] = 0;
	send(s, 60, 0, 0);
}

static void send_tcp(uint8_t flags, uint32_t seq, const uint8_t *payload, uint64_t m)
{
	uint8_t *s = slot(), *f = s + NET_HDR, *ip = f + 14, *t = ip + 20;
	uint64_t options = flags & SYN ? 4 : 0, tcp = 20 + options + m, sum;

	ethernet(f, peer_mac, 0x0800);
	put32(ip, 0x45000000 | (uint32_t)(20 + tcp));
	put32(ip + 4, 0x00004000);
	put32(ip + 8, 0x40060000);
	put32(ip + 12, my_ip);
	put32(ip + 16, peer_ip);
	put16(ip + 10, (uint16_t)~fold(add_bytes(0, ip, 20)));
	put16(t, my_port);
	put16(t + 2, peer_port);
	put32(t + 4, seq);
	put32(t + 8, rcv_nxt);
	t[12] = (uint8_t)((20 + options) << 2);
	t[13] = flags;
	put16(t + 14, WINDOW_SIZE);
	put32(t + 16, 0);
	if (options)
		put32(t + 20, 0x02040000 | (uint32_t)mss);
	sum = fold(add_bytes(6 + tcp, ip + 12, 8));
	if (features & F_CSUM) {
		put16(t + 16, (uint32_t)sum);
		s[0] = 1;
		s[6] = 14 + 20; /* little-endian: where it begins, and where in it the sum goes */
		s[8] = 16;
	} else {
		put16(t + 16, (uint16_t)~fold(add_bytes(add_bytes(sum, t, 20 + options), payload, m)));
	}
	if (payload && echoing) { /* the buffer it came in is about to be reused */
		copy(t + 20, payload, m);
		send(s, HEADERS + m, 0, 0);
	} else {
		send(s, HEADERS + options, payload, m);
	}
	ack_due = 0;
}

/* --- receiving */

static int same(const uint8_t *a, const uint8_t *b, uint64_t n)
{
	while (n && *a == *b)
		a++, b++, n--;
	return !n;
}

/* n bytes of the stream, as they come. */
static void check(const uint8_t *p, uint64_t n)
{
	const uint8_t *want = pattern + received % PERIOD;

	received += n;
#ifdef __aarch64__
	for (; n >= 8; n -= 8) {
		uint64_t a, b;
		__asm__ volatile("ldr %0, [%2], #8\n	ldr %1, [%3], #8" : "=&r"(a), "=&r"(b), "+r"(p), "+r"(want));
		wrong += a != b;
	}
#else
	uint64_t words = n / 8;
	uint8_t equal = 1;
	n %= 8;
	if (words)
		__asm__ volatile("repe cmpsq\n	sete %0" : "=r"(equal), "+S"(p), "+D"(want), "+c"(words) : : "memory", "cc");
	wrong += !equal;
#endif
	wrong += !same(p, want, n);
}

static void take_payload(const uint8_t *p, uint64_t n)
{
	if (!echoing) {
		while (n) {
			uint64_t part = n < PERIOD ? n : PERIOD;
			check(p, part);
			p += part;
			n -= part;
		}
		return;
	}
	for (uint64_t part; n; p += part, n -= part) {
		part = n < ECHO_MAX ? n : ECHO_MAX;
		send_tcp(ACK | PSH, snd_nxt, p, part);
		snd_nxt += (uint32_t)part;
	}
}

static void acknowledged(uint32_t ack, uint16_t window)
{
	if ((int32_t)(ack - snd_una) > 0 && (int32_t)(ack - snd_nxt) <= 0) {
		snd_una = ack;
		duplicates = 0;
	} else if (ack == snd_una && snd_nxt != snd_una && window == peer_window) {
		duplicates++;
	}
	peer_window = window;
}

/* The pieces of the payload: the first begins behind TCP's header, each other one fills its buffer. */
static struct {
	const uint8_t *p;
	uint64_t n;
} piece[RING];
static unsigned pieces;

static void take_segment(const uint8_t *ip, const uint8_t *t, uint64_t payload)
{
	uint32_t seq = get32(t + 4);
	uint8_t flags = t[13];

	if (state == LISTEN && flags & SYN) {
		peer_ip = get32(ip + 12);
		peer_port = get16(t);
		rcv_nxt = seq + 1;
		peer_window = get16(t + 14);
		snd_nxt = iss + 1;
		snd_una = iss;
		send_tcp(SYN | ACK, iss, 0, 0);
		state = OPEN;
		return;
	}
	if (state == CLOSED || state == LISTEN || get16(t) != peer_port || get32(ip + 12) != peer_ip)
		return;
	if (flags & RST) {
		failed_reset = 1;
		return;
	}
	if (state == SYN_SENT && (flags & (SYN | ACK)) == (SYN | ACK)) {
		rcv_nxt = seq + 1;
		state = OPEN;
		ack_due = 1;
		snd_una = get32(t + 8);
		peer_window = get16(t + 14);
		return;
	}
	if (flags & ACK)
		acknowledged(get32(t + 8), get16(t + 14));
	if (payload || flags & FIN)
		ack_due = 1;
	if (seq != rcv_nxt)
		return;
	rcv_nxt += (uint32_t)payload;
	for (unsigned i = 0; i < pieces; i++)
		take_payload(piece[i].p, piece[i].n);
	if (flags & FIN) {
		rcv_nxt++;
		fin_received = 1;
	}
}

static void take_frame(uint8_t *hdr, uint64_t len)
{
	uint8_t *f = hdr + NET_HDR, *ip = f + 14, *t = ip + 20;

	if (get16(f + 12) == 0x0806 && len >= 42) {
		if (get32(ip + 24) != my_ip)
			return;
		if (!peer_ip || get32(ip + 14) == peer_ip)
			copy(peer_mac, ip + 8, 6), peer_known = 1;
		if (get16(ip + 6) == 1) {
			uint32_t before = peer_ip;
			peer_ip = get32(ip + 14);
			send_arp(2, ip + 8);
			peer_ip = before;
		}
		return;
	}
	if (get16(f + 12) != 0x0800 || len < HEADERS || ip[0] != 0x45 || ip[9] != 6 || get32(ip + 16) != my_ip ||
	    get16(t + 2) != my_port)
		return;
	uint64_t total = get16(ip + 2), head = 20 + (t[12] >> 4) * 4u;
	if (total < head || total + 14 > len)
		return;
	if (state == LISTEN)
		copy(peer_mac, f + 6, 6);
	/* cut what Ethernet padded, and the headers */
	uint64_t payload = total - head, left = payload;
	piece[0].p += NET_HDR + 14 + head;
	piece[0].n -= NET_HDR + 14 + head;
	for (unsigned i = 0; i < pieces; i++) {
		if (piece[i].n > left)
			piece[i].n = left;
		left -= piece[i].n;
	}
	if (!(hdr[0] & 3) && pieces == 1 && fold(add_bytes(add_bytes(6 + total - 20, ip + 12, 8), t, total - 20)) != 0xffff)
		return;
	take_segment(ip, t, payload);
}

static void poll_rx(void)
{
	struct vring *r = &rings[RX];
	unsigned n = 0;

	for (; r->seen != r->used.idx && n < 64; n++) {
		barrier();
		uint16_t first = r->seen;
		uint8_t *hdr = rx_mem[r->used.ring[first % RING].id];
		uint64_t len = 0;
		unsigned count = features & F_MRG_RXBUF ? hdr[10] | (unsigned)hdr[11] << 8 : 1;
		for (pieces = 0; pieces < count; pieces++) {
			uint32_t id = r->used.ring[r->seen % RING].id, used = r->used.ring[r->seen % RING].len;
			r->seen++;
			piece[pieces].p = rx_mem[id];
			piece[pieces].n = used;
			len += used;
		}
		take_frame(hdr, len - NET_HDR);
		for (; first != r->seen; first++)
			offer(RX, (uint16_t)r->used.ring[first % RING].id);
	}
	if (n)
		notify(RX);
	if (ack_due && state == OPEN)
		send_tcp(ACK, snd_nxt, 0, 0);
}

/* --- what is asked for */

static int say(const char *what)
{
	gyve_guest_print(what);
	gyve_guest_print("\n");
	return 1;
}

static int start_card(uint64_t want)
{
	map_devices();
	if (!find_card() || !negotiate(want))
		return 0;
	for (unsigned i = 0; i < 6; i++)
		my_mac[i] = REG(uint8_t, device_at + i);
	mss = (features & F_MTU ? REG(uint16_t, device_at + 10) : 1500) - 40;
	if (!(features & F_MRG_RXBUF) && mss > BUFFER - NET_HDR - HEADERS)
		mss = 1460;
	mss &= ~7ull;
	set_queue(RX);
	set_queue(TX);
	REG(uint8_t, common + 20) = 0xf;
	for (uint16_t i = 0; i < RING; i++) {
		rings[RX].desc[i] = (struct vring_desc){(uint64_t)rx_mem[i], BUFFER, 2, 0};
		offer(RX, i);
	}
	notify(RX);
	return 1;
}

static int connect_peer(void)
{
	uint64_t from = ticks(), tries = 0;

	while (state != OPEN && !failed_reset) {
		if (ticks() - from > tries * second()) {
			if (tries++ == 10)
				return 0;
			if (peer_known)
				send_tcp(SYN, iss, 0, 0), state = SYN_SENT, snd_nxt = iss + 1;
			else
				send_arp(1, 0);
			if (!peer_known)
				from = ticks() - (tries - 1) * second();
		}
		int before = peer_known;
		poll_rx();
		if (!before && peer_known)
			from = ticks(), tries = 0;
	}
	return state == OPEN;
}

/* Send `bytes` of the pattern and FIN; wait until all is acknowledged. */
static int put(uint64_t bytes)
{
	uint64_t acked = 0, sent = 0, at = ticks();
	uint32_t una = snd_una;

	while (acked < bytes + 1 && !failed_reset) {
		poll_rx();
		if (snd_una != una) {
			acked += snd_una - una;
			una = snd_una;
			at = ticks();
		}
		if (sent < acked)
			sent = acked;
		if (duplicates >= 3 || ticks() - at > second()) { /* again from there */
			duplicates = 0;
			sent = acked;
			at = ticks();
		}
		while (sent < bytes && sent - acked + mss <= peer_window) {
			uint64_t n = bytes - sent < mss ? bytes - sent : mss;
			send_tcp(ACK, una + (uint32_t)(sent - acked), pattern + sent % PERIOD, n);
			sent += n;
		}
		if (sent == bytes) {
			send_tcp(ACK | FIN, una + (uint32_t)(sent - acked), 0, 0);
			sent++;
		}
		if ((int32_t)(una + (uint32_t)(sent - acked) - snd_nxt) > 0)
			snd_nxt = una + (uint32_t)(sent - acked);
	}
	return !failed_reset;
}

static int wait_fin(void)
{
	while (!fin_received && !failed_reset)
		poll_rx();
	return !failed_reset;
}

static void make_pattern(void)
{
	uint64_t *w = (uint64_t *)pattern, v = 1;

	for (unsigned i = 0; i < PERIOD / 8; i++) {
		v = v * 6364136223846793005ull + 1442695040888963407ull;
		w[i] = v;
	}
	copy(pattern + PERIOD, pattern, PERIOD);
}

int kmain(int nwords, char **words)
{
	uint64_t want = F_VERSION_1 | F_MAC | F_MTU | F_MRG_RXBUF | F_CSUM | F_GUEST_CSUM, bytes = 0;

	if (nwords < 3)
		return say("what is to be done?");
	if (same_text(words[nwords - 1], "plain"))
		want = F_VERSION_1 | F_MAC;
	make_pattern();
	if (!start_card(want))
		return say("no card");
	my_ip = address_of(words[1]);
	iss = (uint32_t)ticks();
	echoing = same_text(words[0], "echo");
	if (echoing) {
		my_port = (uint16_t)number_of(words[2]);
		state = LISTEN;
		say("listening");
	} else {
		peer_ip = address_of(words[2]);
		peer_port = (uint16_t)number_of(words[3]);
		bytes = number_of(words[4]);
		my_port = (uint16_t)(40000 + iss % 20000);
		if (!connect_peer())
			return say("no connection");
	}
	if (same_text(words[0], "put") && !put(bytes))
		return say("the connection was reset");
	if (!wait_fin())
		return say("the connection was reset");
	if (!same_text(words[0], "put")) {
		snd_una = snd_nxt;
		put(0);
	}
	if (same_text(words[0], "get") && (received != bytes || wrong))
		return say("not what was sent");
	REG(uint8_t, common + 20) = 0;
	return REG(uint8_t, common + 20);
}
