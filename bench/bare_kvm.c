/* The peer that gyve's own time is measured against: the same KVM set-up for a bare-metal guest, and nothing else.
 *   bare_kvm run IMAGE        load, run to the exit port, exit with its code
 *   bare_kvm step IMAGE N     N single steps by KVM_SET_GUEST_DEBUG in one loop; prints steps a second in the best 20 ms (other
 *                             load on the machine is not ours)
 *   bare_kvm kick IMAGE N     N times from a kick of the running vCPU to its thread's being outside; prints the median and the
 *                             least in us
 *   bare_kvm cycle IMAGE N ADDR
 *                             N times over a breakpoint at guest-physical ADDR: its exit, its bytes out, a step, its bytes in;
 *                             prints ns a time in the best 20 ms
 * It trusts IMAGE and is good for nothing but this. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static uint8_t *ram;
static int kvm, vm, vcpu;
static struct kvm_run *run;

static void die(const char *what)
{
	perror(what);
	exit(125);
}

static void create_vcpu(void)
{
	int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	run = vcpu < 0 ? MAP_FAILED : mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		die("vCPU");
}

#ifdef __aarch64__
#include "bare_aarch64.h"
#else
#include "bare_x86_64.h"
#endif

static uint64_t load(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	uint8_t *file;

	if (fd < 0 || fstat(fd, &st) < 0)
		die(path);
	file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file == MAP_FAILED)
		die(path);
	const Elf64_Ehdr *eh = (const void *)file;
	const Elf64_Phdr *ph = (const void *)(file + eh->e_phoff);
	for (int i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_LOAD)
			memcpy(ram + (ph[i].p_paddr - RAM_GPA), file + ph[i].p_offset, ph[i].p_filesz);
	return eh->e_entry;
}

static void set_up_vm(void)
{
	struct kvm_userspace_memory_region slot = {.guest_phys_addr = RAM_GPA, .memory_size = RAM};

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		die("/dev/kvm");
	ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ram == MAP_FAILED)
		die("memory");
	slot.userspace_addr = (uintptr_t)ram;
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
		die("VM");
	set_up_machine();
}

/* Until the guest asks for the end. */
static int run_guest(void)
{
	int code;

	for (;;) {
		if (ioctl(vcpu, KVM_RUN, 0) < 0)
			die("KVM_RUN");
		if (is_exit(&code))
			return code;
		if (!is_access()) {
			fprintf(stderr, "bare_kvm: exit %u\n", run->exit_reason);
			return 124;
		}
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

enum { WINDOW = 20000 }; /* us */

static double step_guest(unsigned long n)
{
	struct kvm_guest_debug debug = {.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP};
	double begin, best = 0;
	unsigned long from = 0;

	if (ioctl(vcpu, KVM_SET_GUEST_DEBUG, &debug) < 0)
		die("KVM_SET_GUEST_DEBUG");
	begin = now();
	for (unsigned long i = 1; i <= n; i++) {
		double took;
		if (ioctl(vcpu, KVM_RUN, 0) < 0 || run->exit_reason != KVM_EXIT_DEBUG)
			die("step");
		if ((took = now() - begin) < WINDOW && i < n)
			continue;
		if (took >= WINDOW && (double)(i - from) / took > best)
			best = (double)(i - from) / took;
		from = i;
		begin = now();
	}
	return best * 1e6;
}

static void debug_exit(uint32_t control)
{
	struct kvm_guest_debug debug = {.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP | control};

	if (ioctl(vcpu, KVM_SET_GUEST_DEBUG, &debug) < 0)
		die("KVM_SET_GUEST_DEBUG");
	do
		if (ioctl(vcpu, KVM_RUN, 0) < 0)
			die("KVM_RUN");
	while (is_access());
	/* some hosts emulate ring 0, and their emulator does not know the breakpoint instruction */
	if (run->exit_reason == KVM_EXIT_DEBUG || (!control && run->exit_reason == KVM_EXIT_INTERNAL_ERROR))
		return;
	fprintf(stderr, "bare_kvm: exit %u\n", run->exit_reason);
	exit(124);
}

static void put_code(uint8_t *at, const uint8_t *code)
{
	memcpy(at, code, BREAK_LEN);
	__builtin___clear_cache((char *)at, (char *)at + BREAK_LEN);
}

static double cycle_guest(unsigned long n, uint64_t addr)
{
	uint8_t *at = ram + (addr - RAM_GPA), code[BREAK_LEN];
	double begin = now(), best = 0;
	unsigned long from = 0;

	memcpy(code, at, BREAK_LEN);
	for (unsigned long i = 1; i <= n; i++) {
		double took;
		put_code(at, break_code);
		debug_exit(0);
		put_code(at, code);
		debug_exit(KVM_GUESTDBG_SINGLESTEP);
		if ((took = now() - begin) < WINDOW && i < n)
			continue;
		if (took >= WINDOW && (double)(i - from) / took > best)
			best = (double)(i - from) / took;
		from = i;
		begin = now();
	}
	return best > 0 ? 1e3 / best : 0;
}

static sem_t go, out;

static void *run_and_tell(void *arg)
{
	for (;;) {
		sem_wait(&go);
		do
			if (ioctl(vcpu, KVM_RUN, 0) < 0 && errno != EINTR)
				die("KVM_RUN");
		while (!__atomic_load_n(&run->immediate_exit, __ATOMIC_SEQ_CST));
		sem_post(&out);
	}
	return arg;
}

static void ignore(int sig)
{
	(void)sig;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void kick_guest(unsigned long n)
{
	struct sigaction sa = {.sa_handler = ignore};
	double *took = calloc(n + 1, sizeof(*took));
	pthread_t thread;

	sigaction(SIGUSR1, &sa, NULL);
	sem_init(&go, 0, 0);
	sem_init(&out, 0, 0);
	if (!took || pthread_create(&thread, NULL, run_and_tell, NULL))
		die("thread");
	for (unsigned long i = 0; i < n; i++) {
		__atomic_store_n(&run->immediate_exit, 0, __ATOMIC_SEQ_CST);
		sem_post(&go);
		usleep(3000); /* into the guest */
		took[i] = now();
		__atomic_store_n(&run->immediate_exit, 1, __ATOMIC_SEQ_CST);
		pthread_kill(thread, SIGUSR1);
		sem_wait(&out);
		took[i] = now() - took[i];
	}
	qsort(took, n, sizeof(*took), by_value);
	printf("%.0f %.0f\n", took[n / 2], took[0]);
	free(took);
}

int main(int argc, char **argv)
{
	unsigned long n = argc > 3 ? strtoul(argv[3], NULL, 0) : 1000;
	uint64_t entry;

	if (argc < 3) {
		fputs("usage: bare_kvm run IMAGE | bare_kvm step|kick IMAGE N | bare_kvm cycle IMAGE N ADDR\n", stderr);
		return 2;
	}
	set_up_vm();
	entry = load(argv[2]);
	set_up_vcpu(entry);
	if (strcmp(argv[1], "run") == 0)
		return run_guest();
	if (strcmp(argv[1], "kick") == 0)
		kick_guest(n);
	else if (strcmp(argv[1], "cycle") == 0)
		printf("%.0f\n", cycle_guest(n, argc > 4 ? strtoull(argv[4], NULL, 0) : entry));
	else
		printf("%.0f\n", step_guest(n));
	return 0;
}
