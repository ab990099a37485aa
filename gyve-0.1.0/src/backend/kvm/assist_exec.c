/* Slots to run one instruction in: a page of code that is never writable where it is executable (two mappings of one memfd),
 * and a page of data within reach of [rip+disp32]. A slot's code page holds the instruction, ending at STUB, and the stub after
 * it: mov %rax, saved_rax(%rip); mov frame(%rip), %rax; jmp *exit(%rip) SIGILL from a slot means that the processor does not
 * know the instruction although CPUID said it would, SIGFPE that it found an x87 exception nobody looked for; the handler
 * leaves by the stub. Signals from elsewhere go to the handler that was there before. */
#define _GNU_SOURCE /* memfd_create, REG_RIP */
#include "assist_priv.h"

#include "../../base/bytes.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define SLOTS 16u
#define PAGE 4096u
#define STUB 64u

void gyve_assist_enter(struct assist_frame *f);
void gyve_assist_exit(void);

struct slot_data {
	uint8_t scratch[ASSIST_SCRATCH];
	uint64_t saved_rax, frame, exit;
	volatile uint64_t illegal;
};
_Static_assert(sizeof(struct slot_data) <= PAGE, "the data page holds it");
_Static_assert(offsetof(struct assist_frame, rflags) == 128 && offsetof(struct assist_frame, host_rsp) == 136 &&
		       offsetof(struct assist_frame, components) == 144 && offsetof(struct assist_frame, host_mxcsr) == 152 &&
		       offsetof(struct assist_frame, host_fcw) == 156 && offsetof(struct assist_frame, has_avx) == 160 &&
		       offsetof(struct assist_frame, code) == 168 && offsetof(struct assist_frame, xsave) == 192,
	       "assist_enter_x86_64.S knows them");

static struct {
	int error;
	uint8_t *code;   /* SLOTS pages, read and execute */
	uint8_t *data;   /* SLOTS pages right behind, read and write */
	uint8_t *writer; /* the code pages again, read and write */
	pthread_mutex_t lock[SLOTS];
	struct sigaction before[2]; /* of SIGILL and SIGFPE */
} pool;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	const struct sigaction *before = &pool.before[sig == SIGFPE];
	uint64_t rip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP], base = (uint64_t)(uintptr_t)pool.code;

	if (rip - base < SLOTS * PAGE && (rip - base) % PAGE < STUB) {
		uint64_t slot = (rip - base) / PAGE;
		((struct slot_data *)(pool.data + slot * PAGE))->illegal = 1;
		uc->uc_mcontext.gregs[REG_RIP] = (greg_t)(base + slot * PAGE + STUB);
	} else if (before->sa_flags & SA_SIGINFO) {
		before->sa_sigaction(sig, info, context);
	} else if (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN) {
		before->sa_handler(sig);
	} else {
		sigaction(sig, before, NULL); /* it will be raised again */
	}
}

static uint32_t rip_relative(uint64_t target, uint64_t next)
{
	return (uint32_t)(target - next); /* both lie in one mapping of 128 KiB */
}

static void write_stub(unsigned slot)
{
	uint8_t *w = pool.writer + slot * PAGE + STUB;
	uint64_t at = (uintptr_t)(pool.code + slot * PAGE + STUB);
	struct slot_data *d = (struct slot_data *)(pool.data + slot * PAGE);

	memcpy(w, "\x48\x89\x05", 3);
	put_le32(w + 3, rip_relative((uintptr_t)&d->saved_rax, at + 7));
	memcpy(w + 7, "\x48\x8b\x05", 3);
	put_le32(w + 10, rip_relative((uintptr_t)&d->frame, at + 14));
	memcpy(w + 14, "\xff\x25", 2);
	put_le32(w + 16, rip_relative((uintptr_t)&d->exit, at + 20));
	memset(w + 20, 0xcc, 16);
	d->exit = (uintptr_t)gyve_assist_exit;
}

static int open_memory(void)
{
	int fd = memfd_create("gyve-assist", MFD_CLOEXEC | 0x10u /* MFD_EXEC, Linux 6.3 */);

	return fd < 0 && errno == EINVAL ? memfd_create("gyve-assist", MFD_CLOEXEC) : fd;
}

static int map_pool(int fd)
{
	const size_t half = SLOTS * PAGE;

	if (ftruncate(fd, 2 * half) < 0)
		return -errno;
	pool.writer = mmap(NULL, half, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (pool.writer == MAP_FAILED)
		return -errno;
	pool.code = mmap(NULL, 2 * half, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (pool.code == MAP_FAILED)
		return -errno;
	pool.data = pool.code + half;
	return mprotect(pool.code, half, PROT_READ | PROT_EXEC) < 0 ? -errno : 0;
}

static void make_pool(void)
{
	struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	int fd = open_memory();

	if (fd < 0) {
		pool.error = -errno;
		return;
	}
	pool.error = map_pool(fd);
	close(fd);
	if (pool.error)
		return;
	for (unsigned i = 0; i < SLOTS; i++) {
		pthread_mutex_init(&pool.lock[i], NULL);
		write_stub(i);
	}
	sigemptyset(&sa.sa_mask);
	if (sigaction(SIGILL, &sa, &pool.before[0]) < 0 || sigaction(SIGFPE, &sa, &pool.before[1]) < 0)
		pool.error = -errno;
}

void gyve_assist_prepare(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_pool);
}

/* Threads keep their slot, so that they rarely meet. */
static unsigned my_slot(void)
{
	static atomic_uint next;
	static _Thread_local unsigned mine; /* plus one */

	if (!mine)
		mine = atomic_fetch_add(&next, 1) % SLOTS + 1;
	return mine - 1;
}

static void place(unsigned slot, const struct assist_code *code)
{
	uint8_t bytes[ZYDIS_MAX_INSTRUCTION_LENGTH];
	uint64_t end = (uintptr_t)(pool.code + slot * PAGE + STUB), at = end - code->len;
	struct slot_data *d = (struct slot_data *)(pool.data + slot * PAGE);

	memcpy(bytes, code->bytes, code->len);
	if (code->disp_at) /* relative to the end of the instruction, whatever follows the displacement in it */
		put_le32(bytes + code->disp_at, rip_relative((uintptr_t)d->scratch, end));
	memcpy(pool.writer + slot * PAGE + (at - (uintptr_t)(pool.code + slot * PAGE)), bytes, code->len);
}

int assist_exec(struct assist_frame *f, const struct assist_code *code, uint8_t *scratch, size_t nscratch)
{
	unsigned slot = my_slot();
	struct slot_data *d;
	int res;

	gyve_assist_prepare();
	if (pool.error)
		return pool.error;
	if (nscratch > sizeof(d->scratch) || !code->len)
		return -EINVAL;
	d = (struct slot_data *)(pool.data + slot * PAGE);
	pthread_mutex_lock(&pool.lock[slot]);
	place(slot, code);
	memset(d->scratch, 0, sizeof(d->scratch));
	memcpy(d->scratch, scratch, nscratch);
	d->illegal = 0;
	d->frame = (uintptr_t)f;
	f->code = (uintptr_t)(pool.code + slot * PAGE + STUB) - code->len;
	gyve_assist_enter(f);
	f->gpr[GYVE_RAX] = d->saved_rax;
	memcpy(scratch, d->scratch, nscratch);
	res = d->illegal ? -EILSEQ : 0;
	pthread_mutex_unlock(&pool.lock[slot]);
	return res;
}
