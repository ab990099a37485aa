#include "stub_client.h"

#include "hex.h"

struct fake_target fake;
struct gdbstub *stub;
int fed;
size_t client_split;

static char raw[1 << 20], payload[1 << 20];
static size_t raw_len, raw_at;

static int fresh(void)
{
	fake_target_init(&fake);
	stub = gdbstub_create(&fake_arch, &fake_ops, &fake);
	raw_len = raw_at = 0;
	client_split = 0;
	fed = 0;
	return stub ? 0 : -1;
}

int client_setup(void **state)
{
	(void)state;
	return fresh();
}

int client_setup_modern(void **state)
{
	(void)state;
	if (fresh() < 0)
		return -1;
	client_ask("qSupported:swbreak+;hwbreak+;error-message+");
	assert_answer("QStartNoAckMode", "OK");
	client_feed("+", 1);
	return 0;
}

int client_teardown(void **state)
{
	(void)state;
	gdbstub_destroy(stub);
	stub = NULL;
	return 0;
}

void client_feed(const void *bytes, size_t len)
{
	const char *p = bytes;

	for (size_t n; len > 0; p += n, len -= n) {
		n = client_split && client_split < len ? client_split : len;
		fed = gdbstub_feed(stub, p, n);
	}
}

size_t client_frame(char *out, const void *data, size_t len)
{
	const char *p = data;
	uint8_t sum = 0;
	size_t n = 1;

	out[0] = '$';
	for (size_t i = 0; i < len; i++) {
		if (memchr("#$}*", p[i], 4)) {
			out[n++] = '}';
			out[n++] = (char)(p[i] ^ 0x20);
		} else {
			out[n++] = p[i];
		}
	}
	for (size_t i = 1; i < n; i++)
		sum = (uint8_t)(sum + (uint8_t)out[i]);
	n += (size_t)snprintf(out + n, 4, "#%02x", sum);
	return n;
}

void client_send(const void *data, size_t len)
{
	char *bytes = malloc(2 * len + 8);

	assert_non_null(bytes);
	client_feed(bytes, client_frame(bytes, data, len));
	free(bytes);
}

/* Move what is queued into raw[], in two sips. */
static void drain(void)
{
	const void *p;
	size_t n;

	while ((n = gdbstub_output(stub, &p)) > 0) {
		n = (n + 1) / 2;
		assert_true(raw_len + n < sizeof(raw));
		memcpy(raw + raw_len, p, n);
		raw_len += n;
		gdbstub_sent(stub, n);
	}
	raw[raw_len] = '\0';
}

const char *client_raw(size_t *len)
{
	static char copy[sizeof(raw)];
	size_t n;

	drain();
	n = raw_len - raw_at;
	memcpy(copy, raw + raw_at, n);
	copy[n] = '\0';
	if (len)
		*len = n;
	raw_at = raw_len = 0;
	return copy;
}

const char *client_packet(size_t *len)
{
	char *end, *p;
	uint8_t sum = 0, want = 0;
	size_t n = 0;

	drain();
	while (raw_at < raw_len && (raw[raw_at] == '+' || raw[raw_at] == '-'))
		raw_at++;
	if (raw_at == raw_len) {
		raw_at = raw_len = 0;
		return NULL;
	}
	assert_int_equal(raw[raw_at], '$');
	p = raw + raw_at + 1;
	end = memchr(p, '#', raw_len - raw_at - 1);
	assert_non_null(end);
	assert_true(end + 3 <= raw + raw_len);
	assert_int_equal(gdbstub_hex_decode(&want, end + 1, 2), 1);
	raw_at = (size_t)(end + 3 - raw);
	assert_true(end - p <= GDBSTUB_PACKET_SIZE);
	for (; p < end; p++) {
		sum = (uint8_t)(sum + (uint8_t)*p);
		assert_int_not_equal(*p, '$');
		if (*p == '}') {
			assert_true(p + 1 < end);
			sum = (uint8_t)(sum + (uint8_t) * ++p);
			payload[n++] = (char)(*p ^ 0x20);
		} else if (*p == '*') {
			assert_true(n > 0 && p + 1 < end && p[1] >= ' ' && p[1] <= '~');
			sum = (uint8_t)(sum + (uint8_t) * ++p);
			for (int k = *p - 29; k > 0; k--, n++)
				payload[n] = payload[n - 1];
		} else {
			payload[n++] = *p;
		}
	}
	payload[n] = '\0';
	assert_int_equal(sum, want);
	if (len)
		*len = n;
	return payload;
}

const char *client_ask(const char *packet)
{
	const char *answer;

	client_send(packet, strlen(packet));
	answer = client_packet(NULL);
	if (!answer)
		fail_msg("no answer to %s", packet);
	if (raw_at < raw_len)
		fail_msg("more than one answer to %s", packet);
	return answer;
}
