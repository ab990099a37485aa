/* Dumps written and read again: both architectures, compressed or not, cut short, and formats of others made by hand. */
#define _GNU_SOURCE
#include "unit.h"

#include "../../src/arch/regrow.h"
#include "../../src/core/core_priv.h"

#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOW_LEN = 8 << 20, HIGH_GPA = 0x40000000, HIGH_LEN = 1 << 20, NCPUS = 3, PLANT = 0x3010 };

static uint8_t *low, *high;
static struct gyve_memmap map;
static struct gyve_regs regs[NCPUS];
static struct gyve_core_info info;
static struct gyve_core_source src;
static char dir[] = "/tmp/gyve-core-XXXXXX", path[64];

static const struct gyve_regs *source_regs(void *ctx, unsigned cpu)
{
	(void)ctx;
	return &regs[cpu];
}

static size_t source_values(void *ctx, unsigned cpu, struct gyve_core_value *v)
{
	(void)ctx;
	v[0] = (struct gyve_core_value){0, 0xc0000080, 0x500 + cpu};
	v[1] = (struct gyve_core_value){1, 0x20, cpu};
	return cpu < 2 ? 2 : 0;
}

/* A breakpoint byte is planted at PLANT: whoever reads memory gets what was there. */
static ssize_t phys_read(void *ctx, uint64_t gpa, void *buf, size_t len)
{
	ssize_t n = gyve_memmap_read(ctx, gpa, buf, len);

	if (n > 0 && gpa <= PLANT && PLANT < gpa + (uint64_t)n)
		((uint8_t *)buf)[PLANT - gpa] = 0x55;
	return n;
}

static void fill_regs(const struct gyve_arch *arch)
{
	for (unsigned c = 0; c < NCPUS; c++) {
		struct gyve_regs *r = &regs[c];
		memset(r, 0, sizeof(*r));
		r->arch = arch->id;
		r->valid = GYVE_REGS_ALL;
		if (arch->id == GYVE_X86_64) {
			r->x86.xsave_len = 832;
			r->x86.xcr0 = 7;
			r->x86.xsave[512] = 7;
			r->x86.xsave[0] = 0x7f;
			r->x86.xsave[1] = 3;
			for (unsigned i = 32; i < 416; i++)
				r->x86.xsave[i] = (uint8_t)(i + c);
			for (unsigned i = 576; i < 832; i++)
				r->x86.xsave[i] = (uint8_t)(i * 3 + c);
			r->x86.seg[GYVE_CS] = (struct gyve_x86_seg){
				.selector = 8, .limit = 0xffffffff, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
			r->x86.exc_injected = 1;
			r->x86.exc_nr = 14;
			r->x86.exc_error = 2;
		}
		for (unsigned i = 0; i < arch->nregs; i++) {
			uint8_t v[64];
			const struct gyve_reg_row *row = &arch->regs[i];
			for (unsigned k = 0; k < sizeof(v); k++)
				v[k] = (uint8_t)(i * 7 + k + c * 31);
			if (row->get == gyve_reg_plain_get && row->group != GYVE_REGS_FP)
				core_row_set(row, r, v);
		}
	}
}

static int setup_arch(const struct gyve_arch *arch)
{
	low = mmap(NULL, LOW_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	high = mmap(NULL, HIGH_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	for (unsigned i = 0; i < 0x5000; i++)
		low[0x3000 + i] = (uint8_t)(i * 13 >> 3);
	low[PLANT] = 0xcc;
	low[5 << 20] = 1;
	low[LOW_LEN - 1] = 2;
	high[0] = 3;
	gyve_memmap_init(&map);
	gyve_memmap_add(&map, 0, LOW_LEN, low, GYVE_REGION_RAM, "ram");
	gyve_memmap_add(&map, HIGH_GPA, HIGH_LEN, high, GYVE_REGION_RAM, "high");
	fill_regs(arch);
	memset(&info, 0, sizeof(info));
	info.when = 1700000000;
	strcpy(info.why, "crash");
	strcpy(info.text, "two\nlines");
	strcpy(info.image, "/a/b c=d");
	info.stop_cpu = 1;
	info.signal = 11;
	info.layout_known = true;
	info.bias = 0xffffffff80000000;
	info.build_id_len = 3;
	memcpy(info.build_id, "\x01\xab\xff", 3);
	info.nsegs = 1;
	info.seg[0] = (struct gyve_core_seg){0xffffffff80000000, 0x3000, 0x5000, 5};
	struct gyve_mem phys = {phys_read, NULL, &map, NULL};
	src = (struct gyve_core_source){arch, NCPUS, source_regs, NULL, source_values, phys, &map, &info};
	strcpy(dir, "/tmp/gyve-core-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/core", dir);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	return setup_arch(&gyve_arch_x86_64);
}

static int setup_a64(void **state)
{
	(void)state;
	return setup_arch(&gyve_arch_aarch64);
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	rmdir(dir);
	gyve_memmap_deinit(&map);
	munmap(low, LOW_LEN);
	munmap(high, HIGH_LEN);
	return 0;
}

static void same_regs(const struct gyve_core *core)
{
	assert_int_equal(core->ncpus, NCPUS);
	assert_ptr_equal(core->arch, src.arch);
	for (unsigned c = 0; c < NCPUS; c++)
		for (unsigned i = 0; i < src.arch->nregs; i++) {
			const struct gyve_reg_row *row = &src.arch->regs[i];
			uint8_t a[64] = {0}, b[64] = {0};
			int x = row->get(row, &regs[c], a), y = row->get(row, &core->regs[c], b);
			if (x != y || memcmp(a, b, sizeof(a)) != 0)
				fail_msg("vCPU %u: register %s differs", c, row->name);
		}
}

static void same_memory(struct gyve_core *core)
{
	uint8_t *buf = malloc(LOW_LEN), *want = malloc(LOW_LEN);

	memcpy(want, low, LOW_LEN);
	want[PLANT] = 0x55;
	assert_int_equal(core->phys.read(core->phys.ctx, 0, buf, LOW_LEN), LOW_LEN);
	assert_memory_equal(buf, want, LOW_LEN);
	assert_int_equal(core->phys.read(core->phys.ctx, HIGH_GPA, buf, LOW_LEN), HIGH_LEN);
	assert_memory_equal(buf, high, HIGH_LEN);
	assert_int_equal(core->phys.read(core->phys.ctx, LOW_LEN, buf, 1), -EFAULT);
	assert_int_equal(core->phys.read(core->phys.ctx, LOW_LEN - 2, buf, 8), 2);
	assert_int_equal(core->phys.read(core->phys.ctx, UINT64_MAX, buf, 8), -EFAULT);
	free(buf);
	free(want);
}

static void round_trip(const struct gyve_core_options *opt)
{
	struct gyve_core_result res;
	struct gyve_core *core;
	struct gyve_err err = {0};
	struct stat st;

	if (gyve_core_write(path, &src, opt, &res, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(stat(path, &st), 0);
	assert_true(opt->compress || (uint64_t)st.st_size == res.nominal);
	assert_true(st.st_blocks * 512 < 512 << 10); /* holes */
	assert_int_equal(st.st_mode & 0777, 0600);
	if (gyve_core_open(&core, path, NULL, &err) < 0)
		fail_msg("%s", err.text);
	if (core->warnings)
		fail_msg("%s", core->warnings);
	same_regs(core);
	same_memory(core);
	uint64_t v = 0;
	assert_int_equal(gyve_core_value(core, 1, 0, 0xc0000080, &v), 0);
	assert_int_equal(v, 0x501);
	assert_int_equal(gyve_core_value(core, 2, 0, 0xc0000080, &v), -ENOENT);
	assert_true(core->have_sys && core->has_info);
	assert_int_equal(core->info.when, 1700000000);
	assert_string_equal(core->info.why, "crash");
	assert_string_equal(core->info.text, "two lines");
	assert_string_equal(core->info.image, "/a/b c=d");
	assert_int_equal(core->info.stop_cpu, 1);
	assert_int_equal(core->info.bias, 0xffffffff80000000);
	assert_memory_equal(core->info.build_id, "\x01\xab\xff", 3);
	assert_int_equal(core->info.nsegs, 1);
	assert_int_equal(core->info.seg[0].gva, info.seg[0].gva);
	assert_int_equal(core->info.seg[0].len, info.seg[0].len);
	assert_int_equal(core->info.seg[0].perms, 5);
	gyve_core_close(core);
}

static void test_round_trip(void **state)
{
	(void)state;
	round_trip(&(struct gyve_core_options){0});
	round_trip(&(struct gyve_core_options){0}); /* over the first */
	round_trip(&(struct gyve_core_options){.qemu = src.arch->id == GYVE_X86_64});
}

static void test_compressed(void **state)
{
	struct gyve_core *core;
	uint8_t b;

	(void)state;
	struct gyve_core_options opt = {.compress = true};
	struct gyve_err err = {0};
	if (gyve_core_write(path, &src, &opt, NULL, &err) == -ENOTSUP)
		skip();
	round_trip(&opt);
	/* a damaged frame is said, the others are read */
	struct stat st;
	int fd = open(path, O_RDWR);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(gyve_core_open(&core, path, NULL, &err), 0);
	gyve_core_close(core);
	for (off_t at = 700; at < 760; at++)
		assert_int_equal(pwrite(fd, "\xff", 1, at), 1);
	int ret = gyve_core_open(&core, path, NULL, &err);
	assert_true(ret == 0 || ret == -ENOEXEC);
	if (ret == 0)
		gyve_core_close(core);
	assert_int_equal(ftruncate(fd, st.st_size / 2), 0);
	assert_int_equal(gyve_core_open(&core, path, NULL, &err), -ENOEXEC);
	close(fd);
	(void)b;
}

/* A Linux guest's own words become a note, and QEMU's notes come with it. */
static void test_vmcoreinfo(void **state)
{
	static const char text[] = "OSRELEASE=6.1\nPAGESIZE=4096\nSYMBOL(swapper_pg_dir)=ffffffff81000000\n";
	uint8_t *data = malloc(1 << 20);
	ssize_t n;
	int fd;

	(void)state;
	memcpy(low + 0x10000, "OSRELEASE=but nothing else", 27);
	memcpy(low + 0x20000, text, sizeof(text));
	assert_int_equal(gyve_core_write(path, &src, NULL, NULL, NULL), 0);
	fd = open(path, O_RDONLY);
	n = read(fd, data, 1 << 20);
	close(fd);
	uint8_t *note = memmem(data, (size_t)n, "VMCOREINFO", 11);
	assert_non_null(note);
	assert_memory_equal(note + 12, text, sizeof(text) - 1);
	assert_non_null(memmem(data, (size_t)(note - data), "QEMU", 5));
	free(data);
	round_trip(&(struct gyve_core_options){0});
}

static void test_page_states(void **state)
{
	struct gyve_core *core;
	uint64_t len;

	(void)state;
	assert_int_equal(gyve_core_write(path, &src, NULL, NULL, NULL), 0);
	assert_int_equal(gyve_core_open(&core, path, NULL, NULL), 0);
	assert_int_equal(gyve_core_page_state(core, 0x3000, &len), GYVE_CORE_STORED);
	assert_true(len >= 0x5000);
	assert_int_equal(gyve_core_page_state(core, LOW_LEN, &len), GYVE_CORE_ABSENT);
	assert_int_equal(len, HIGH_GPA - LOW_LEN);
	assert_int_equal(gyve_core_page_state(core, HIGH_GPA + HIGH_LEN, &len), GYVE_CORE_ABSENT);
	gyve_core_close(core);
}

/* What is whole is there, what is not is said. */
static void test_cut_short(void **state)
{
	struct gyve_core *core;
	struct gyve_err err = {0};
	struct stat st;
	uint8_t b;

	(void)state;
	assert_int_equal(gyve_core_write(path, &src, NULL, NULL, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - HIGH_LEN - 4096), 0);
	assert_int_equal(gyve_core_open(&core, path, NULL, &err), 0);
	assert_non_null(strstr(core->warnings, "not in the file"));
	same_regs(core);
	assert_int_equal(core->phys.read(core->phys.ctx, 0x3000, &b, 1), 1);
	assert_int_equal(core->phys.read(core->phys.ctx, LOW_LEN - 1, &b, 1), -EFAULT);
	assert_int_equal(core->phys.read(core->phys.ctx, HIGH_GPA, &b, 1), -EFAULT);
	gyve_core_close(core);
	static const off_t sizes[] = {0, 10, 63, 64, 100, 200, 1000};
	for (size_t i = GYVE_ARRAY_SIZE(sizes); i-- > 0;) {
		assert_int_equal(truncate(path, sizes[i]), 0);
		if (gyve_core_open(&core, path, NULL, &err) == 0)
			gyve_core_close(core);
		else
			assert_non_null(strstr(err.text, path));
	}
}

static void test_writable_in_memory_only(void **state)
{
	struct gyve_core_open open = {.writable = true};
	struct gyve_core *core;
	uint8_t b = 0xee;

	(void)state;
	assert_int_equal(gyve_core_write(path, &src, NULL, NULL, NULL), 0);
	assert_int_equal(gyve_core_open(&core, path, &open, NULL), 0);
	assert_int_equal(core->phys.write(core->phys.ctx, 0x3000, &b, 1), 1);
	assert_int_equal(core->phys.read(core->phys.ctx, 0x3000, &b, 1), 1);
	assert_int_equal(b, 0xee);
	gyve_core_close(core);
	assert_int_equal(gyve_core_open(&core, path, NULL, NULL), 0);
	assert_null(core->phys.write);
	same_memory(core);
	gyve_core_close(core);
}

/* Killed at a hundred random moments, a first dump is whole or not there. */
static void test_killed(void **state)
{
	unsigned seen[2] = {0};
	struct gyve_core *core;
	struct stat st;

	(void)state;
	for (unsigned i = 0; i < LOW_LEN; i += 64)
		low[i] |= 1;
	srand(7);
	for (unsigned i = 0; i < 100; i++) {
		unlink(path);
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			gyve_core_write(path, &src, NULL, NULL, NULL);
			_exit(0);
		}
		usleep((unsigned)rand() % 24000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		bool there = stat(path, &st) == 0;
		seen[there]++;
		if (!there)
			continue;
		assert_int_equal(gyve_core_open(&core, path, NULL, NULL), 0);
		assert_null(core->warnings);
		assert_int_equal(core->mem_size, LOW_LEN + HIGH_LEN);
		gyve_core_close(core);
	}
	print_message("killed: %u times nothing, %u times all\n", seen[0], seen[1]);
	unlink(path);
	assert_int_equal(rmdir(dir), 0); /* nothing else is left */
}

static void test_refused(void **state)
{
	struct gyve_err err = {0};
	struct gyve_core *core;

	(void)state;
	assert_int_equal(gyve_core_write("/dev/null", &src, NULL, NULL, &err), -EINVAL);
	assert_int_equal(gyve_core_write("/nowhere/at/all", &src, NULL, NULL, &err), -ENOENT);
	assert_int_equal(gyve_core_open(&core, "/nowhere", NULL, &err), -ENOENT);
	assert_int_equal(gyve_core_open(&core, "/dev/null", NULL, &err), -ENOEXEC);
	assert_int_equal(gyve_core_open_mem(&core, "some text", 9, NULL, &err), -ENOEXEC);
	src.regs = source_regs;
	assert_int_equal(access(path, F_OK), -1);
}

static void test_raw_and_registers(void **state)
{
	static const char *const given[] = {"cr3=0x1000", "rip=0x1234", NULL};
	struct gyve_core_open open = {.raw = true, .raw_gpa = 0x100000, .arch = &gyve_arch_x86_64, .regs = given};
	struct gyve_err err = {0};
	struct gyve_core *core;
	char b[4];

	(void)state;
	assert_int_equal(gyve_core_open_mem(&core, "abcdefgh", 8, &open, &err), 0);
	assert_int_equal(core->phys.read(core->phys.ctx, 0x100004, b, 4), 4);
	assert_memory_equal(b, "efgh", 4);
	assert_int_equal(core->regs[0].x86.rip, 0x1234);
	assert_int_equal(core->regs[0].x86.cr3, 0x1000);
	assert_true(core->regs[0].x86.cr0 >> 31 & 1);
	assert_int_equal(gyve_core_set_reg(core, 0, "nothing=1", &err), -EINVAL);
	assert_int_equal(gyve_core_set_reg(core, 0, "rip=x", &err), -EINVAL);
	gyve_core_close(core);
	static const char *const wrong[] = {"x5=1", NULL};
	open.regs = wrong;
	assert_int_equal(gyve_core_open_mem(&core, "abcdefgh", 8, &open, &err), -EINVAL);
}

static void put64(size_t at, uint64_t v)
{
	memcpy(low + at, &v, 8);
}

/* A kernel high up, its stack as well: the root among the tables is the one that nothing points to. */
static void test_find_tables(void **state)
{
	static const char *const x86[] = {"rip=0xffffffff80001234", "rsp=0xffffffff80003000", NULL};
	static const char *const a64[] = {"pc=0xffffffff80001234", "sp=0xffffffff80003000", NULL};
	bool is_x86 = src.arch->id == GYVE_X86_64;
	struct gyve_core_open open = {.raw = true, .arch = src.arch, .find_roots = true};
	uint64_t table = 3, leaf = is_x86 ? 0x83 : 0x701;
	struct gyve_core *core;
	struct gyve_err err = {0};
	struct gyve_mmu mmu;
	struct gyve_walk w;

	(void)state;
	put64(0x21000 + 8 * 511, 0x22000 | table);
	put64(0x22000 + 8 * 510, 0x23000 | table);
	put64(0x23000, 0x200000 | leaf);
	put64(0x50008, 0x7fffffff1000 | table); /* leads nowhere */
	open.regs = is_x86 ? x86 : a64;
	if (gyve_core_open_mem(&core, low, LOW_LEN, &open, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(is_x86 ? core->regs[0].x86.cr3 : core->regs[0].a64.ttbr1_el1, 0x21000);
	gyve_mmu_from_regs(&mmu, &core->regs[0]);
	assert_int_equal(gyve_walk(&mmu, &core->phys, 0xffffffff80001234, &w), 0);
	assert_int_equal(w.gpa, 0x201234);
	gyve_core_close(core);
	put64(0x23000, 0);
	assert_int_equal(gyve_core_open_mem(&core, low, LOW_LEN, &open, &err), -ENOENT);
}

static void test_lime(void **state)
{
	uint8_t f[32 + 0x10 + 32 + 8] = {0};
	struct gyve_core *core;
	uint8_t b[0x20];

	(void)state;
	static const struct {
		size_t at;
		uint64_t start, last;
	} ranges[] = {{0, 0x1000, 0x100f}, {0x30, 0x5000, 0x5007}};
	for (size_t i = 0; i < 2; i++) {
		memcpy(f + ranges[i].at, "EMiL\1\0\0\0", 8);
		memcpy(f + ranges[i].at + 8, &ranges[i].start, 8);
		memcpy(f + ranges[i].at + 16, &ranges[i].last, 8);
	}
	f[32] = 7;
	f[0x50] = 9;
	assert_int_equal(gyve_core_open_mem(&core, f, sizeof(f), NULL, NULL), 0);
	assert_int_equal(core->kind, GYVE_CORE_LIME);
	assert_int_equal(core->phys.read(core->phys.ctx, 0x1000, b, 0x20), 0x10);
	assert_int_equal(b[0], 7);
	assert_int_equal(core->phys.read(core->phys.ctx, 0x5000, b, 8), 8);
	assert_int_equal(b[0], 9);
	gyve_core_close(core);
	f[0x30] = 0;
	assert_int_equal(gyve_core_open_mem(&core, f, sizeof(f), NULL, NULL), 0);
	assert_non_null(core->warnings);
	gyve_core_close(core);
}

/* Overlapping segments, zeros behind them, one that is virtual only. */
static void test_segments(void **state)
{
	struct {
		Elf64_Ehdr e;
		Elf64_Phdr p[4];
		uint8_t data[0x40];
	} f = {.e = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1},
		     .e_type = ET_CORE,
		     .e_machine = EM_AARCH64,
		     .e_phoff = sizeof(Elf64_Ehdr),
		     .e_phentsize = sizeof(Elf64_Phdr),
		     .e_phnum = 4}};
	uint64_t at = offsetof(__typeof__(f), data);
	struct gyve_core *core;
	uint8_t b[0x100];

	(void)state;
	for (unsigned i = 0; i < sizeof(f.data); i++)
		f.data[i] = (uint8_t)i;
	f.p[0] = (Elf64_Phdr){.p_type = PT_LOAD,
			      .p_offset = at,
			      .p_vaddr = 0xffff000000001000,
			      .p_paddr = 0x1000,
			      .p_filesz = 0x20,
			      .p_memsz = 0x20};
	f.p[1] = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_offset = at, .p_vaddr = 0x1000, .p_paddr = 0x1000, .p_filesz = 0x30, .p_memsz = 0x80};
	f.p[2] = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_offset = at, .p_vaddr = 0, .p_paddr = UINT64_MAX - 4, .p_filesz = 0x30, .p_memsz = 0x80};
	f.p[3] = (Elf64_Phdr){.p_type = PT_LOAD, .p_offset = at, .p_paddr = 0x8000, .p_filesz = 0x10000, .p_memsz = 0x10000};
	assert_int_equal(gyve_core_open_mem(&core, &f, sizeof(f), NULL, NULL), 0);
	assert_ptr_equal(core->arch, &gyve_arch_aarch64);
	assert_int_equal(core->phys.read(core->phys.ctx, 0x1000, b, sizeof(b)), 0x80);
	assert_memory_equal(b, f.data, 0x30);
	assert_int_equal(b[0x7f], 0);
	assert_int_equal(core->phys.read(core->phys.ctx, 0x8000, b, sizeof(b)), 0x40);
	assert_false(core->have_sys || core->is_virtual);
	gyve_core_close(core);
	f.p[0].p_paddr = f.p[1].p_paddr = f.p[2].p_paddr = f.p[3].p_paddr = 0;
	assert_int_equal(gyve_core_open_mem(&core, &f, sizeof(f), NULL, NULL), 0);
	assert_true(core->is_virtual);
	assert_int_equal(core->phys.read(core->phys.ctx, 0xffff000000001004, b, 4), 4);
	assert_int_equal(b[0], 4);
	gyve_core_close(core);
}

static void test_qemu_note_alone(void **state)
{
	struct core_buf b = {0};
	struct gyve_regs r = {.arch = GYVE_X86_64};

	(void)state;
	regs[0].x86.cr0 = 0x80000011;
	regs[0].x86.cr4 = 0x20;
	regs[0].x86.gdt_limit = 0x17;
	core_x86_qemu_note(&b, &regs[0].x86);
	assert_int_equal(b.len, 12 + 8 + 440);
	assert_int_equal(core_x86_qemu(&r, b.p + 20, 440), 0);
	assert_memory_equal(r.x86.gpr, regs[0].x86.gpr, sizeof(r.x86.gpr));
	assert_int_equal(r.x86.cr3, regs[0].x86.cr3);
	assert_int_equal(r.x86.seg[GYVE_CS].l, regs[0].x86.seg[GYVE_CS].l);
	assert_int_equal(r.x86.seg[GYVE_TR].base, regs[0].x86.seg[GYVE_TR].base);
	assert_int_equal(r.x86.gdt_limit, 0x17);
	assert_int_equal(r.x86.efer, 0xd00);
	assert_int_equal(core_x86_qemu(&r, b.p + 20, 431), -EINVAL);
	free(b.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_round_trip, setup_a64, teardown),
		cmocka_unit_test_setup_teardown(test_compressed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vmcoreinfo, setup, teardown),
		cmocka_unit_test_setup_teardown(test_page_states, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_short, setup, teardown),
		cmocka_unit_test_setup_teardown(test_writable_in_memory_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_raw_and_registers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_find_tables, setup, teardown),
		cmocka_unit_test_setup_teardown(test_find_tables, setup_a64, teardown),
		cmocka_unit_test_setup_teardown(test_lime, setup, teardown),
		cmocka_unit_test_setup_teardown(test_segments, setup, teardown),
		cmocka_unit_test_setup_teardown(test_qemu_note_alone, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
