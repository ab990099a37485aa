/* A hostile guest: random and crafted hypercalls of every interface, as many as the second word of the command line says, from
 * the seed that is the first ("forever": until it is killed). It ends by its own exit call, if gyve does not end it before: a
 * call that has no place for an error may. */
#include "hermit.h"

static uint64_t state;

static uint64_t random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t pick(const uint64_t *list, unsigned n)
{
	return list[random() % n];
}

static uint8_t arena[1 << 16] __attribute__((aligned(4096)));
static uint64_t ram, ram_end, last_fd = 3;

static uint64_t number(void)
{
	static const uint64_t known[] = {0x400,  0x440,  0x480,  0x500,  0x580,  0x740,  0x780,  0x800,  0x840,
					 0x880,  0x1020, 0x1030, 0x1040, 0x1050, 0x1100, 0x1110, 0x1120, 0x1130,
					 0x1140, 0x1150, 0x1160, 0x1170, 0x1180, 0x1190, 0x1200, 0x640};
	return pick(known, sizeof(known) / sizeof(known[0]));
}

/* Mostly memory, else its edges and nowhere. */
static uint64_t address(void)
{
	const uint64_t odd[] = {0,          ram,        ram - 1, ram_end - 1, ram_end, ram_end - 64, UINT64_MAX, UINT64_MAX - 7,
				1ull << 63, 1ull << 52, 0xfff,   0x3fff};

	return random() % 8 ? (uint64_t)arena + random() % (sizeof(arena) - 5000) : pick(odd, sizeof(odd) / sizeof(odd[0]));
}

static uint64_t length(void)
{
	static const uint64_t odd[] = {0, 1, 4096, 1 << 20, 1ull << 31, 1ull << 32, UINT64_MAX, UINT64_MAX - 4095, 1ull << 63};

	return random() % 4 ? random() % 5000 : pick(odd, sizeof(odd) / sizeof(odd[0]));
}

static uint64_t descriptor(void)
{
	static const uint64_t odd[] = {0, 1, 2, 42, 0xffffffff, 0x7fffffff, 0x80000000};

	return random() % 3 ? last_fd - random() % 8 : pick(odd, sizeof(odd) / sizeof(odd[0]));
}

/* A path made of bad habits. */
static uint64_t path(void)
{
	static const char *const parts[] = {"root", "..",      ".",    "/",    "canary", "tmp", "etc",    "passwd",
					    "link", "dirlink", "abs",  "sub",  "x",      "//",  "secret", "\xff",
					    "ro",   "dev",     "proc", "self", "fd",     "file"};
	uint8_t *p = arena + random() % (sizeof(arena) - 600);
	uint8_t *start = p;

	if (random() % 2)
		for (const char *s = "/root"; *s; s++)
			*p++ = (uint8_t)*s;
	for (unsigned n = random() % 5; n; n--) {
		*p++ = '/';
		for (const char *s = parts[random() % (sizeof(parts) / sizeof(parts[0]))]; *s; s++)
			*p++ = (uint8_t)*s;
	}
	if (random() % 16)
		*p = 0;
	return (uint64_t)start;
}

static uint64_t word(void)
{
	switch (random() % 6) {
	case 0:
		return address();
	case 1:
		return length();
	case 2:
		return descriptor();
	case 3:
		return path();
	case 4:
		return random() & 0201203; /* flags that open(2) knows */
	default:
		return random();
	}
}

/* A call that leaves its error in its block; the guest goes on after it. */
static void likely(void)
{
	uint64_t *block = (uint64_t *)(arena + (random() % (sizeof(arena) - 256) & ~7ull));
	static const uint64_t safe[] = {0x1100, 0x1110, 0x1120, 0x1130, 0x1140, 0x1150, 0x1160, 0x1170, 0x1180, 0x1190};
	uint64_t n = pick(safe, sizeof(safe) / sizeof(safe[0]));

	for (unsigned i = 0; i < 5; i++)
		block[i] = word();
	switch (n) {
	case 0x1100:
	case 0x1130: /* reads of standard input may wait */
		block[0] = length(), block[2] = address(), block[3] = descriptor();
		break;
	case 0x1110:
		block[0] = path(), block[1] = (random() & 0203303) | random() % 0777 << 32;
		break;
	case 0x1150:
	case 0x1190:
		block[0] = path();
		break;
	case 0x1170:
		block[0] = path(), block[1] = random() % 3, block[2] = address();
		break;
	case 0x1120:
	case 0x1140:
	case 0x1160:
	case 0x1180:
		block[0] = random() % 2 ? descriptor() : block[0], block[1] = address();
		break;
	}
	gyve_guest_call((uint16_t)n, (uint64_t)block);
	if (n == 0x1110 && (uint32_t)block[2] > last_fd && (uint32_t)block[2] < last_fd + 16)
		last_fd = (uint32_t)block[2];
}

#if INTERFACE == 1
static void put(uint8_t *p, uint64_t v, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

/* The same by the calls of version 1, whose blocks are packed and lie anywhere; all but the write, which has no place for an
 * error. */
static void likely_packed(void)
{
	static const uint64_t safe[] = {0x440, 0x480, 0x500, 0x580, 0x840, 0x640, 0x680, 0x700};
	uint8_t *block = arena + random() % (sizeof(arena) - 256);
	uint64_t n = pick(safe, sizeof(safe) / sizeof(safe[0]));

	for (unsigned i = 0; i < 32; i += 8)
		put(block + i, word(), 8);
	switch (n) {
	case 0x440:
		put(block, path(), 8), put(block + 8, random() & 0203303, 4), put(block + 12, random() % 01000, 4);
		break;
	case 0x840:
		put(block, path(), 8);
		break;
	default:
		put(block, descriptor(), 4), put(block + 4, random() % 2 ? address() : length(), 8);
		put(block + 12, n == 0x580 ? random() % 4 : length(), n == 0x580 ? 4 : 8);
	}
	gyve_guest_call((uint16_t)n, (uint64_t)block);
	uint32_t fd = block[16] | (uint32_t)block[17] << 8 | (uint32_t)block[18] << 16 | (uint32_t)block[19] << 24;
	if (n == 0x440 && fd > last_fd && fd < last_fd + 16)
		last_fd = fd;
}
#endif

static uint64_t value(const char *text)
{
	uint64_t n = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		n = 10 * n + (uint64_t)(*text - '0');
	return n;
}

int kmain(int nwords, char **words)
{
	uint64_t count = nwords > 1 ? value(words[1]) : 0;
	int forever = nwords > 1 && same_text(words[1], "forever"), wild = nwords > 2;

	ram = (uint64_t)device_tree - 0x5000;
	ram_end = ram + (64 << 20);
	state = (nwords ? value(words[0]) : 0) * 0x9e3779b97f4a7c15ull + 0x1234567;
	gyve_guest_print("begins\n");
	for (uint64_t i = 0; i < count || forever; i++) {
		if (!wild || random() % 64) {
#if INTERFACE == 1
			if (random() % 4) {
				likely_packed();
				continue;
			}
#endif
			likely();
		} else { /* anything at all: sooner or later one has no place for an error */
			gyve_guest_call((uint16_t)(random() % 8 ? number() : random()), random() % 2 ? address() : word());
		}
	}
	gyve_guest_print("\nends\n");
	return 0;
}
