/* --net: its grammar. */
#include "gyve/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A number in decimal up to max, all of s[0..n). */
static bool number(const char *s, size_t n, unsigned max, unsigned *ret)
{
	unsigned v = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9' || v > max)
			return false;
		v = v * 10 + (unsigned)(s[i] - '0');
	}
	*ret = v;
	return n && v <= max;
}

static bool address(const char *s, size_t n, uint32_t *ret)
{
	char text[16];
	struct in_addr a;

	if (n >= sizeof(text))
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	if (inet_pton(AF_INET, text, &a) != 1)
		return false;
	*ret = ntohl(a.s_addr);
	return true;
}

/* [ADDRESS]:PORT, or PORT alone. */
static bool endpoint(const char *s, size_t n, uint32_t *addr, uint16_t *port)
{
	const char *colon = memchr(s, ':', n);
	size_t head = colon ? (size_t)(colon - s) : 0, from = colon ? head + 1 : 0;
	unsigned v;

	if ((head && !address(s, head, addr)) || !number(s + from, n - from, 65535, &v) || !v)
		return false;
	*port = (uint16_t)v;
	return true;
}

/* tcp:[HOST]:PORT-[GUEST:]PORT */
static int parse_forward(struct gyve_net_options *o, const char *s, size_t n, struct gyve_err *err)
{
	struct gyve_net_forward f = {.host = INADDR_LOOPBACK};
	const char *dash = memchr(s, '-', n);

	if (o->nforwards == GYVE_NET_FORWARDS)
		return gyve_err_set(err, -EINVAL, "at most %d ports can be forwarded", GYVE_NET_FORWARDS);
	f.udp = n >= 4 && strncmp(s, "udp:", 4) == 0;
	if (n < 4 || !dash || (!f.udp && strncmp(s, "tcp:", 4) != 0) ||
	    !endpoint(s + 4, (size_t)(dash - s) - 4, &f.host, &f.host_port) ||
	    !endpoint(dash + 1, n - (size_t)(dash + 1 - s), &f.guest, &f.guest_port))
		return gyve_err_set(err, -EINVAL, "hostfwd=%.*s is not of the form tcp:[ADDRESS]:PORT-[ADDRESS:]PORT (or udp:)",
				    (int)n, s);
	o->forward[o->nforwards++] = f;
	return 0;
}

static int parse_mac(struct gyve_net_options *o, const char *s, size_t n, struct gyve_err *err)
{
	unsigned b[6];
	int used = 0;
	char text[18] = {0};

	if (n == 17)
		memcpy(text, s, n);
	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &used) != 6 || used != 17 ||
	    b[0] & 1)
		return gyve_err_set(err, -EINVAL, "mac=%.*s is not the address of one card, as in 52:54:00:12:34:56", (int)n,
				    s);
	for (int i = 0; i < 6; i++)
		o->mac[i] = (uint8_t)b[i];
	o->mac_given = true;
	return 0;
}

static int parse_mtu(struct gyve_net_options *o, const char *s, size_t n, struct gyve_err *err)
{
	if (!number(s, n, GYVE_NET_MTU_MAX, &o->mtu) || o->mtu < GYVE_NET_MTU_MIN)
		return gyve_err_set(err, -EINVAL, "mtu=%.*s is not a number from %d to %d", (int)n, s, GYVE_NET_MTU_MIN,
				    GYVE_NET_MTU_MAX);
	return 0;
}

static int parse_pcap(struct gyve_net_options *o, const char *s, size_t n, struct gyve_err *err)
{
	if (!n || o->pcap)
		return gyve_err_set(err, -EINVAL, "pcap= takes one file");
	o->pcap = strndup(s, n);
	return o->pcap ? 0 : gyve_err_set(err, -ENOMEM, "no memory");
}

static int parse_restrict(struct gyve_net_options *o, const char *s, size_t n, struct gyve_err *err)
{
	o->restricted = n == 2 && strncmp(s, "on", 2) == 0;
	if (!o->restricted && (n != 3 || strncmp(s, "off", 3) != 0))
		return gyve_err_set(err, -EINVAL, "restrict= is on or off");
	return 0;
}

static const struct {
	const char *name;
	int (*parse)(struct gyve_net_options *o, const char *s, size_t n, struct gyve_err *err);
	bool user; /* only for it */
} keys[] = {
	{"hostfwd", parse_forward, true}, {"mac", parse_mac, false},          {"mtu", parse_mtu, false},
	{"pcap", parse_pcap, false},      {"restrict", parse_restrict, true},
};

static int parse_key(struct gyve_net_options *o, const char *s, size_t n, struct gyve_err *err)
{
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(keys); i++) {
		size_t k = strlen(keys[i].name);
		if (n <= k || strncmp(s, keys[i].name, k) != 0 || s[k] != '=')
			continue;
		if (keys[i].user && o->kind != GYVE_NET_USER)
			return gyve_err_set(err, -EINVAL, "%s= is for user networking", keys[i].name);
		return keys[i].parse(o, s + k + 1, n - k - 1, err);
	}
	return gyve_err_set(err, -EINVAL, "'%.*s' is not mac=, mtu=, pcap=, hostfwd= or restrict=", (int)n, s);
}

static int parse_kind(struct gyve_net_options *o, const char *s, size_t n, struct gyve_err *err)
{
	if (n == 4 && strncmp(s, "user", n) == 0) {
		o->kind = GYVE_NET_USER;
		return 0;
	}
	if (n < 3 || strncmp(s, "tap", 3) != 0 || (n > 3 && s[3] != ':'))
		return gyve_err_set(err, -EINVAL, "a network is tap, tap:NAME or user, not '%.*s'", (int)n, s);
	o->kind = GYVE_NET_TAP;
	if (n == 3) {
		strcpy(o->interface, "tap10");
		return 0;
	}
	if (n == 4 || n - 4 >= sizeof(o->interface))
		return gyve_err_set(err, -EINVAL, "the name of an interface has 1 to 15 bytes: '%.*s'", (int)n - 4, s + 4);
	memcpy(o->interface, s + 4, n - 4);
	return 0;
}

int gyve_net_parse(struct gyve_net_options *ret, const char *spec, struct gyve_err *err)
{
	size_t n = strcspn(spec, ",");
	int r;

	*ret = (struct gyve_net_options){0};
	r = parse_kind(ret, spec, n, err);
	while (r == 0 && spec[n]) {
		spec += n + 1;
		n = strcspn(spec, ",");
		r = parse_key(ret, spec, n, err);
	}
	if (r < 0)
		gyve_net_options_deinit(ret);
	return r;
}

void gyve_net_options_deinit(struct gyve_net_options *o)
{
	free((char *)o->pcap);
	*o = (struct gyve_net_options){0};
}
