/* Hypercalls of all interface versions: one table. x86_64: out to a port; aarch64: a store into the hypercall window, argument
 * in x8. Every guest pointer is checked here; one that leads nowhere is an error code where the call has one, else the guest's
 * end. */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "../base/bytes.h"
#include "gyve/walk.h"
#include "hermit.h"

struct call {
	struct hermit *h;
	struct gyve_access *a;
	uint64_t arg;   /* as the interface defines it: a gpa or a value */
	uint8_t *block; /* the parameter block, `size` bytes of guest memory */
	int *code;
	struct gyve_err *err;
};

typedef enum gyve_access_result call_fn(struct call *c);

static enum gyve_access_result bad_pointer(struct call *c, const char *what, uint64_t addr)
{
	gyve_err_set(c->err, -EFAULT, "hypercall 0x%" PRIx64 ": the %s at 0x%" PRIx64 " is not in guest memory",
		     c->a->pio ? c->a->addr : c->a->addr - c->h->ga, what, addr);
	return GYVE_ACCESS_CRASH;
}

/* --- console and end */

static enum gyve_access_result put_byte(struct call *c)
{
	uint8_t byte = (uint8_t)c->arg;

	c->h->out.write(c->h->out.ctx, &byte, 1);
	return GYVE_ACCESS_DONE;
}

static enum gyve_access_result put_buffer(struct call *c, gyve_gpa_t buf, uint64_t len)
{
	void *p = gyve_memmap_ptr(c->h->map, buf, len);

	if (len && !p)
		return bad_pointer(c, "text", buf);
	if (len)
		c->h->out.write(c->h->out.ctx, p, len);
	return GYVE_ACCESS_DONE;
}

static enum gyve_access_result v1_put_buffer(struct call *c)
{
	return put_buffer(c, get_le64(c->block), get_le64(c->block + 8));
}

static enum gyve_access_result v2_put_buffer(struct call *c)
{
	return put_buffer(c, get_le64(c->block + 8), get_le64(c->block));
}

/* What waits, never a wait: a guest that wants one asks again. */
static enum gyve_access_result v2_get_buffer(struct call *c)
{
	uint64_t len = get_le64(c->block), buf = get_le64(c->block + 16);
	void *p = gyve_memmap_ptr(c->h->map, buf, len);

	if (len && !p)
		return bad_pointer(c, "buffer", buf);
	put_le64(c->block + 8, (uint64_t)hermit_input(c->h, p, len));
	return GYVE_ACCESS_DONE;
}

/* An `in` from the port, a load from the window: the next byte of the input, all ones when none waits. */
static enum gyve_access_result get_byte(struct hermit *h, struct gyve_access *a)
{
	uint8_t byte;

	pthread_mutex_lock(&h->lock);
	bool have = hermit_input(h, &byte, 1) == 1;
	pthread_mutex_unlock(&h->lock);
	memset(a->data, have ? 0 : 0xff, a->len);
	if (have)
		a->data[0] = byte;
	return GYVE_ACCESS_DONE;
}

static enum gyve_access_result v1_exit(struct call *c)
{
	*c->code = (int32_t)get_le32(c->block);
	return GYVE_ACCESS_EXIT;
}

static enum gyve_access_result v2_exit(struct call *c)
{
	*c->code = (int32_t)c->arg;
	return GYVE_ACCESS_EXIT;
}

/* --- arguments */

static enum gyve_access_result cmdsize(struct call *c)
{
	hermit_fill_cmdsize(c->h, c->block);
	return GYVE_ACCESS_DONE;
}

static enum gyve_access_result cmdval(struct call *c)
{
	gyve_gpa_t argv = get_le64(c->block), envp = get_le64(c->block + 8);

	return hermit_copy_args(c->h, argv, envp) < 0 ? bad_pointer(c, "argument array", argv) : GYVE_ACCESS_DONE;
}

/* --- files */

/* A guest buffer where it lies in host memory. */
struct pieces {
	struct iovec v[64];
	int n;
	uint64_t len;
};

static void add_piece(struct pieces *p, uint8_t *at, uint64_t len)
{
	struct iovec *last = p->n ? &p->v[p->n - 1] : NULL;

	if (last && (uint8_t *)last->iov_base + last->iov_len == at)
		last->iov_len += len;
	else
		p->v[p->n++] = (struct iovec){at, len};
	p->len += len;
}

/* Version 1 gives guest-virtual buffers: page by page through the vCPU's own tables, as far as there are pages, and as pieces
 * there is room for. -EFAULT: not even the first. */
static int virtual_pieces(struct call *c, gyve_gva_t gva, uint64_t len, struct pieces *ret)
{
	const struct gyve_regs *r = c->a->regs(c->a->ctx, GYVE_REGS_SYS);
	struct gyve_mem phys = gyve_memmap_mem(c->h->map);
	struct gyve_mmu mmu;

	ret->n = 0;
	ret->len = 0;
	if (!r)
		return -EIO;
	if (len > c->h->ram_len) /* no buffer is; one page may be mapped very often */
		return -EFAULT;
	gyve_mmu_from_regs(&mmu, r);
	while (ret->len < len && ret->n < (int)GYVE_ARRAY_SIZE(ret->v)) {
		gyve_gva_t at = gva + ret->len;
		struct gyve_walk w;
		if (gyve_walk(&mmu, &phys, at, &w) < 0)
			break;
		uint64_t left = w.page_size - (at & (w.page_size - 1)), n = len - ret->len < left ? len - ret->len : left;
		uint8_t *p = gyve_memmap_ptr(c->h->map, w.gpa, n);
		if (!p)
			break;
		add_piece(ret, p, n);
	}
	return len && !ret->len ? -EFAULT : 0;
}

/* Later versions give physical ones. */
static int physical_pieces(struct call *c, gyve_gpa_t gpa, uint64_t len, struct pieces *ret)
{
	uint8_t *p = gyve_memmap_ptr(c->h->map, gpa, len);

	ret->n = 0;
	ret->len = 0;
	if (len && p)
		add_piece(ret, p, len);
	return len && !p ? -EFAULT : 0;
}

/* Bytes written. *error: what ended it before len, 0 or a negative errno. */
static uint64_t write_virtual(struct call *c, int fd, gyve_gva_t buf, uint64_t len, int *error)
{
	struct pieces p;
	uint64_t done = 0;

	do {
		int64_t r = virtual_pieces(c, buf + done, len - done, &p);
		if (r == 0)
			r = hermit_file_write(c->h, c->a, fd, p.v, p.n);
		if (r < 0 || (!r && len)) {
			*error = r < 0 ? (int)r : -EIO;
			return done;
		}
		done += (uint64_t)r; /* if it is short, the next try says why */
	} while (done < len);
	*error = 0;
	return done;
}

static enum gyve_access_result v1_write(struct call *c)
{
	int fd = (int32_t)get_le32(c->block), error;
	uint64_t buf = get_le64(c->block + 4), len = get_le64(c->block + 12), done;

	done = write_virtual(c, fd, buf, len, &error);
	if (!error)
		return GYVE_ACCESS_DONE;
	/* the call has no place for it */
	if (error == -EFAULT)
		return bad_pointer(c, "buffer", buf + done);
	gyve_err_set(c->err, error, "the guest writes to descriptor %d: %s", fd, strerror(-error));
	return GYVE_ACCESS_CRASH;
}

static enum gyve_access_result v1_read(struct call *c)
{
	int fd = (int32_t)get_le32(c->block);
	struct pieces p;
	int64_t n = virtual_pieces(c, get_le64(c->block + 4), get_le64(c->block + 12), &p);

	put_le64(c->block + 20, (uint64_t)(n < 0 ? n : hermit_file_read(c->h, c->a, fd, p.v, p.n)));
	return GYVE_ACCESS_DONE;
}

static enum gyve_access_result v2_write(struct call *c)
{
	int fd = (int32_t)get_le32(c->block + 24);
	struct pieces p;
	int64_t n = physical_pieces(c, get_le64(c->block + 16), get_le64(c->block), &p);

	put_le64(c->block + 8, (uint64_t)(n < 0 ? n : hermit_file_write(c->h, c->a, fd, p.v, p.n)));
	return GYVE_ACCESS_DONE;
}

static enum gyve_access_result v2_read(struct call *c)
{
	int fd = (int32_t)get_le32(c->block + 24);
	struct pieces p;
	int64_t n = physical_pieces(c, get_le64(c->block + 16), get_le64(c->block), &p);

	put_le64(c->block + 8, (uint64_t)(n < 0 ? n : hermit_file_read(c->h, c->a, fd, p.v, p.n)));
	return GYVE_ACCESS_DONE;
}

static enum gyve_access_result v1_lseek(struct call *c)
{
	int64_t at = hermit_file_seek(c->h, (int32_t)get_le32(c->block), (int64_t)get_le64(c->block + 4),
				      (int32_t)get_le32(c->block + 12));

	put_le64(c->block + 4, (uint64_t)(at < 0 ? -1 : at));
	return GYVE_ACCESS_DONE;
}

static enum gyve_access_result v2_lseek(struct call *c)
{
	put_le64(c->block, (uint64_t)hermit_file_seek(c->h, (int32_t)get_le32(c->block + 12), (int64_t)get_le64(c->block),
						      (int32_t)get_le32(c->block + 8)));
	return GYVE_ACCESS_DONE;
}

/* A copy of the path at gpa: the guest may change its own meanwhile. -EFAULT: not in memory; -EINVAL: it does not end. */
static int guest_path(struct call *c, gyve_gpa_t gpa, char path[PATH_MAX])
{
	const struct gyve_region *r = gyve_memmap_find(c->h->map, gpa);

	if (!r)
		return -EFAULT;
	uint64_t left = r->len - (gpa - r->gpa), n = left < PATH_MAX ? left : PATH_MAX;
	memcpy(path, r->hva + (gpa - r->gpa), n);
	return memchr(path, 0, n) ? 0 : -EINVAL;
}

static enum gyve_access_result file_open(struct call *c)
{
	char path[PATH_MAX];
	int r = guest_path(c, get_le64(c->block), path);

	if (r == 0)
		r = hermit_file_open(c->h, path, (int32_t)get_le32(c->block + 8), (int32_t)get_le32(c->block + 12));
	put_le32(c->block + 16, (uint32_t)r);
	return GYVE_ACCESS_DONE;
}

static enum gyve_access_result file_close(struct call *c)
{
	put_le32(c->block + 4, (uint32_t)hermit_file_close(c->h, (int32_t)get_le32(c->block)));
	return GYVE_ACCESS_DONE;
}

static enum gyve_access_result file_unlink(struct call *c)
{
	char path[PATH_MAX];
	int r = guest_path(c, get_le64(c->block), path);

	put_le32(c->block + 8, (uint32_t)(r == 0 ? hermit_file_unlink(c->h, path) : r));
	return GYVE_ACCESS_DONE;
}

/* --- version 3: results are a tag and a positive errno */

enum { TAG_SUCCESS = 1, TAG_ERROR = 2, DENTS_END = 2, DENTS_ERROR = 3 };

static enum gyve_access_result v3_result(uint8_t *at, int error)
{
	put_le32(at, error ? TAG_ERROR : TAG_SUCCESS);
	put_le32(at + 4, (uint32_t)error);
	return GYVE_ACCESS_DONE;
}

static enum gyve_access_result v3_getdents(struct call *c)
{
	uint64_t len = get_le64(c->block + 16);
	void *p = gyve_memmap_ptr(c->h->map, get_le64(c->block + 8), len);
	int64_t n = len && !p ? -EFAULT : hermit_getdents(c->h, (int32_t)get_le32(c->block), p, len);

	put_le32(c->block + 24, n < 0 ? DENTS_ERROR : n == 0 ? DENTS_END : TAG_SUCCESS);
	if (n < 0)
		put_le32(c->block + 32, (uint32_t)-n);
	else
		put_le64(c->block + 32, (uint64_t)n);
	return GYVE_ACCESS_DONE;
}

static enum gyve_access_result v3_stat(struct call *c)
{
	uint8_t *attr = gyve_memmap_ptr(c->h->map, get_le64(c->block + 16), HERMIT_ATTR_SIZE);
	uint32_t kind = get_le32(c->block + 8);
	char path[PATH_MAX];
	int r = guest_path(c, get_le64(c->block), path);

	if (r == 0 && kind > 1)
		r = -EINVAL;
	return v3_result(c->block + 24, r < 0 ? -r : !attr ? EFAULT : hermit_stat(c->h, path, kind == 0, attr));
}

static enum gyve_access_result v3_fstat(struct call *c)
{
	uint8_t *attr = gyve_memmap_ptr(c->h->map, get_le64(c->block + 8), HERMIT_ATTR_SIZE);

	return v3_result(c->block + 16, attr ? hermit_fstat(c->h, (int32_t)get_le32(c->block), attr) : EFAULT);
}

static enum gyve_access_result v3_mkdir(struct call *c)
{
	char path[PATH_MAX];
	int r = guest_path(c, get_le64(c->block), path);

	return v3_result(c->block + 16, r < 0 ? -r : hermit_mkdir(c->h, path));
}

/* --- the table */

enum { IMMEDIATE = 0, V2 = 0x1000, READ_BYTE = 0x1040 };

static const struct {
	uint16_t number, size; /* of the parameter block; 0: the argument is a value */
	call_fn *fn;
	const char *name; /* as uhyve's statistics have it */
} calls[] = {
	{0x400, 20, v1_write, "V1(FileWrite)"},
	{0x440, 20, file_open, "V1(FileOpen)"},
	{0x480, 8, file_close, "V1(FileClose)"},
	{0x500, 28, v1_read, "V1(FileRead)"},
	{0x540, 4, v1_exit, "V1(Exit)"},
	{0x580, 16, v1_lseek, "V1(FileLseek)"},
	{0x740, 1032, cmdsize, "V1(Cmdsize)"},
	{0x780, 16, cmdval, "V1(Cmdval)"},
	{0x800, IMMEDIATE, put_byte, "V1(Uart)"},
	{0x840, 12, file_unlink, "V1(FileUnlink)"},
	{0x880, 16, v1_put_buffer, "V1(SerialBufferWrite)"},
	{0x1010, IMMEDIATE, v2_exit, "V2(Exit)"},
	{0x1020, IMMEDIATE, put_byte, "V2(SerialWriteByte)"},
	{0x1030, 16, v2_put_buffer, "V2(SerialWriteBuffer)"},
	{0x1050, 24, v2_get_buffer, "V2(SerialReadBuffer)"},
	{0x1100, 32, v2_write, "V2(FileWrite)"},
	{0x1110, 20, file_open, "V2(FileOpen)"},
	{0x1120, 8, file_close, "V2(FileClose)"},
	{0x1130, 32, v2_read, "V2(FileRead)"},
	{0x1140, 16, v2_lseek, "V2(FileLseek)"},
	{0x1150, 12, file_unlink, "V2(FileUnlink)"},
	{0x1160, 40, v3_getdents, "V3(Getdents)"},
	{0x1170, 32, v3_stat, "V3(FileStat)"},
	{0x1180, 24, v3_fstat, "V3(FileFstat)"},
	{0x1190, 24, v3_mkdir, "V3(Mkdir)"},
};

uint64_t hermit_call_count(void *state, size_t i, const char **name)
{
	const struct hermit *h = state;

	_Static_assert(GYVE_ARRAY_SIZE(calls) <= GYVE_ARRAY_SIZE(h->calls), "a counter for each");
	*name = i < GYVE_ARRAY_SIZE(calls) ? calls[i].name : NULL;
	return *name ? __atomic_load_n(&h->calls[i], __ATOMIC_RELAXED) : 0;
}

const char *hermit_call_row(size_t i, uint32_t *number)
{
	if (i >= GYVE_ARRAY_SIZE(calls))
		return NULL;
	*number = calls[i].number;
	return calls[i].name;
}

int64_t hermit_call_number(void *state, const struct gyve_access *a)
{
	const struct hermit *h = state;
	uint64_t number = a->pio ? a->addr : a->addr - h->ga;

	if (!a->write || (!a->pio && (h->elf->machine != EM_AARCH64 || a->addr < h->ga)))
		return -1;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(calls); i++)
		if (calls[i].number == number)
			return (int64_t)number;
	return -1;
}

/* Version 1 passes the argument in the dword written, later ones in rdi; aarch64 always in x8. */
static bool get_argument(struct call *c, uint64_t number)
{
	const struct gyve_regs *r;

	if (c->a->pio && number < V2) {
		uint8_t dword[4] = {0};
		memcpy(dword, c->a->data, c->a->len < 4 ? c->a->len : 4);
		c->arg = get_le32(dword);
		return true;
	}
	r = c->a->regs(c->a->ctx, GYVE_REGS_GPR);
	if (r)
		c->arg = c->a->pio ? r->x86.gpr[GYVE_RDI] : r->a64.x[8];
	return r;
}

static enum gyve_access_result call(struct call *c, uint64_t number)
{
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(calls); i++) {
		if (calls[i].number != number)
			continue;
		__atomic_fetch_add(&c->h->calls[i], 1, __ATOMIC_RELAXED);
		if (!get_argument(c, number)) {
			gyve_err_set(c->err, -EIO, "hypercall 0x%" PRIx64 ": the vCPU's registers cannot be read", number);
			return GYVE_ACCESS_CRASH;
		}
		if (calls[i].size && !(c->block = gyve_memmap_ptr(c->h->map, c->arg, calls[i].size)))
			return bad_pointer(c, "parameter block", c->arg);
		pthread_mutex_lock(&c->h->lock);
		enum gyve_access_result res = calls[i].fn(c);
		pthread_mutex_unlock(&c->h->lock);
		return res;
	}
	return GYVE_ACCESS_UNKNOWN;
}

/* --- what else the guest touches while it looks for devices */

/* The places where the tables of a multiprocessor PC would be. */
static bool is_table_scan(const struct gyve_access *a)
{
	return !a->write && ((a->addr >= 0x9f000 && a->addr < 0xa0000) || (a->addr >= 0xf0000 && a->addr < 0x100000));
}

enum gyve_access_result hermit_access(void *state, struct gyve_access *a, int *code, struct gyve_err *err)
{
	struct hermit *h = state;
	struct call c = {.h = h, .a = a, .code = code, .err = err};

	if (hermit_device_access(h, a))
		return GYVE_ACCESS_DONE;
	if (a->pio) {
		if (!a->write)
			return a->addr == READ_BYTE ? get_byte(h, a) : GYVE_ACCESS_UNKNOWN;
		return call(&c, a->addr);
	}
	if (h->elf->machine == EM_AARCH64 && a->addr >= h->ga && a->addr - h->ga < HERMIT_A64_WINDOW) {
		if (a->write)
			return call(&c, a->addr - h->ga);
		if (a->addr - h->ga == READ_BYTE)
			return get_byte(h, a);
	}
	if (is_table_scan(a)) {
		memset(a->data, 0xff, a->len);
		return GYVE_ACCESS_DONE;
	}
	return GYVE_ACCESS_UNKNOWN;
}
