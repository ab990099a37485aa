/* A driver that does everything wrong, ROUNDS times (first word): random registers, rings that lead anywhere, in and out of
 * memory, chains without end. gyve has to live through it, and the card to work again after a reset. Second word: a seed. */
#include "net_guest.h"

enum { ARENA = 65536, RAM = 32 << 20 };

static uint8_t arena[ARENA] __attribute__((aligned(4096)));
static uint64_t seed;

static uint32_t any(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33);
}

/* A buffer: behind the image, where nobody minds, or where there is no memory. */
static uint64_t any_address(void)
{
	uint64_t image_end = (uint64_t)arena & ~0xfffffull;

	switch (any() % 8) {
	case 0:
		return any();
	case 1:
		return ~0ull - any() % 4096;
	case 2:
		return (uint64_t)any() << 32 | any();
	default:
		return image_end + (8 << 20) + any() % (16 << 20);
	}
}

static uint64_t any_ring(unsigned align)
{
	uint64_t at = any() % 16 ? (uint64_t)arena + any() % (ARENA - 8192) : any_address() | 1ull << 50;
	return any() % 32 ? at & ~(uint64_t)(align - 1) : at;
}

static void fill_arena(void)
{
	struct vring_desc *d = (struct vring_desc *)arena;
	uint16_t *w = (uint16_t *)(arena + 16384);

	for (unsigned i = 0; i < 64; i++)
		d[i] = (struct vring_desc){any() % 4 ? any_address() : (uint64_t)arena + any() % 1024 * 16,
					   any() % 3 ? any() % 4096 : any(), (uint16_t)(any() % 8), (uint16_t)(any() % 72)};
	for (unsigned i = 0; i < 64; i++)
		w[i] = (uint16_t)(any() % 3 ? any() % 64 : any());
	w[0] = (uint16_t)(any() % 2);
	w[1] = (uint16_t)(any() % 4 ? any() % 20 : any());
}

static void set_wrong_queue(unsigned q)
{
	int sane = any() % 4 != 0;

	REG(uint16_t, common + 22) = (uint16_t)(any() % 16 ? q : any());
	REG(uint16_t, common + 24) = (uint16_t)(any() % 8 ? 1u << any() % 9 : any());
	REG(uint64_t, common + 32) = sane ? (uint64_t)arena : any_ring(16);
	REG(uint64_t, common + 40) = sane ? (uint64_t)arena + 16384 : any_ring(2);
	REG(uint64_t, common + 48) = sane ? (uint64_t)arena + 32768 : any_ring(4);
	REG(uint16_t, common + 26) = (uint16_t)any();
	REG(uint16_t, common + 28) = (uint16_t)(any() % 8 ? 1 : any());
}

static void config_write(unsigned at, uint32_t v)
{
#ifdef __aarch64__
	*(volatile uint32_t *)(ECAM + at) = v;
#else
	__asm__ volatile("outl %0, %1" : : "a"(0x80000000u | at), "d"((uint16_t)0xcf8));
	__asm__ volatile("outl %0, %1" : : "a"(v), "d"((uint16_t)0xcfc));
#endif
}

/* Registers of any width; not BAR 0's address: the rest of the test needs it. */
static void scribble(void)
{
	uint64_t bar = device_at & ~0xfffull;

	for (unsigned i = 0; i < 4; i++) {
		uint64_t at = bar + (any() % 4 ? any() % 256 : any() % 8192);
		switch (any() % 8) {
		case 0:
			REG(uint8_t, at) = (uint8_t)any();
			break;
		case 1:
			REG(uint16_t, at & ~1ull) = (uint16_t)any();
			break;
		case 2:
			REG(uint32_t, at & ~3ull) = any();
			break;
		case 3:
			REG(uint64_t, at & ~7ull) = any_ring(16);
			break;
		case 4:
			config_write(0x18 + any() % 56 * 4, any());
			break;
		case 5:
			(void)config_read(any() % 64 * 4);
			break;
		case 6:
			(void)REG(uint64_t, at & ~7ull);
			break;
		default:
			(void)REG(uint8_t, at);
		}
	}
}

int kmain(int nwords, char **words)
{
	uint64_t rounds = nwords > 0 ? number_of(words[0]) : 1000;

	seed = nwords > 1 ? number_of(words[1]) : 1;
	map_devices();
	if (!find_card()) {
		gyve_guest_print("no card\n");
		return 1;
	}
	for (uint64_t i = 0; i < rounds; i++) {
		uint64_t want = any() | (uint64_t)(any() % 4 ? 1 : any()) << 32;
		features = 0;
		negotiate(want);
		fill_arena();
		set_wrong_queue(RX);
		set_wrong_queue(TX);
		REG(uint8_t, common + 20) = any() % 8 ? 0xf : (uint8_t)any();
		REG(uint16_t, notify_at + 4) = 1;
		REG(uint16_t, notify_at) = 0;
		scribble();
		fill_arena(); /* while it is looked at */
		REG(uint32_t, notify_at + 4) = any();
	}
	config_write(4, 2); /* memory only, no MSI-X */
	config_write(0x88, 0);
	features = 0;
	if (!negotiate(F_VERSION_1 | F_MAC) || REG(uint8_t, common + 20) != 0xb) {
		gyve_guest_print("the card does not come back\n");
		return 1;
	}
	gyve_guest_print("alive\n");
	return 0;
}
