/* gyve x/FMT DUMP ADDRESS...: memory as gdb's x shows it. */
#include "config.h"

#include "cmd.h"
#include "dump_cmd.h"

#include "../base/bytes.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_CAPSTONE
#include <capstone/capstone.h>

#include "../base/late.h"

#define FUNCTIONS(F) F(cs_disasm) F(cs_free) F(cs_open) F(cs_option)
#ifdef CAPSTONE_SONAME
LATE_LIBRARY(cs, CAPSTONE_SONAME, FUNCTIONS)
#else
LINKED_LIBRARY(cs, FUNCTIONS)
#endif
#elif defined(__x86_64__)
#include "gyve/assist.h"
#endif

struct fmt {
	unsigned long count;
	char kind; /* x d u o t a c s i z f */
	unsigned size;
};

enum { MAX_COUNT = 1 << 20, MAX_STRING = 4096 };

int gyve_x_format(const char *text, unsigned long *count, char *kind, unsigned *size)
{
	char *end;

	*count = 1;
	*kind = 'x';
	*size = 0;
	if (isdigit((unsigned char)*text)) {
		*count = strtoul(text, &end, 10);
		text = end;
	}
	if (*count == 0 || *count > MAX_COUNT)
		return -EINVAL;
	for (; *text; text++) {
		const char *units = "bhwg", *u = strchr(units, *text);
		if (u)
			*size = 1u << (u - units);
		else if (strchr("xduotacsizf", *text))
			*kind = *text;
		else
			return -EINVAL;
	}
	if (*kind == 's' || *kind == 'i' || *kind == 'c')
		*size = 1;
	else if (*kind == 'a' || (*kind == 'f' && *size < 4))
		*size = 8;
	else if (!*size)
		*size = 4;
	return 0;
}

static uint64_t load(const uint8_t *p, unsigned size)
{
	return size == 1 ? *p : size == 2 ? get_le16(p) : size == 4 ? get_le32(p) : get_le64(p);
}

static void binary(uint64_t v, unsigned bits, char *buf)
{
	for (unsigned i = 0; i < bits; i++)
		buf[i] = (char)('0' + (v >> (bits - 1 - i) & 1));
	buf[bits] = '\0';
}

static void char_text(uint8_t c, char *buf)
{
	static const char escapes[] = "\aa\bb\tt\nn\vv\ff\rr\\\\''";
	const char *e = escapes;

	while (*e && (uint8_t)*e != c)
		e += 2;
	if (*e)
		sprintf(buf, "%d '\\%c'", (int8_t)c, e[1]);
	else if (isprint(c))
		sprintf(buf, "%d '%c'", (int8_t)c, c);
	else
		sprintf(buf, "%d '\\%03o'", (int8_t)c, c);
}

/* " <name+22>" as gdb has it, or "". */
static const char *symbol_text(struct gyve_dump *d, uint64_t gva, char *buf, size_t size)
{
	char where[200], *plus;
	uint64_t off;

	gyve_dump_where(d, gva, where, sizeof(where));
	where[strcspn(where, " ")] = '\0'; /* the name without its line */
	plus = strrchr(where, '+');
	off = plus ? strtoull(plus + 1, NULL, 16) : 0;
	if (plus)
		*plus = '\0';
	if (!*where)
		snprintf(buf, size, "%s", "");
	else if (off)
		snprintf(buf, size, " <%s+%" PRIu64 ">", where, off);
	else
		snprintf(buf, size, " <%s>", where);
	return buf;
}

static void value_text(struct gyve_dump *d, const uint8_t *p, const struct fmt *f, char *buf, size_t size)
{
	uint64_t v = load(p, f->size);
	int64_t s = (int64_t)(v << (64 - 8 * f->size)) >> (64 - 8 * f->size);
	char where[256];
	float f4;
	double f8;

	switch (f->kind) {
	case 'd':
		snprintf(buf, size, "%" PRId64, s);
		break;
	case 'u':
		snprintf(buf, size, "%" PRIu64, v);
		break;
	case 'o':
		snprintf(buf, size, v ? "0%" PRIo64 : "0", v);
		break;
	case 't':
		binary(v, 8 * f->size, buf);
		break;
	case 'c':
		char_text((uint8_t)v, buf);
		break;
	case 'z':
		snprintf(buf, size, "0x%0*" PRIx64, (int)f->size * 2, v);
		break;
	case 'a':
		snprintf(buf, size, "0x%" PRIx64 "%s", v, symbol_text(d, v, where, sizeof(where)));
		break;
	case 'f':
		memcpy(&f4, p, 4);
		memcpy(&f8, p, f->size == 8 ? 8 : 4);
		snprintf(buf, size, "%.*g", f->size == 8 ? 17 : 9, f->size == 8 ? f8 : (double)f4);
		break;
	default:
		snprintf(buf, size, "0x%0*" PRIx64, (int)f->size * 2, v);
	}
}

struct line {
	struct gyve_dump *d;
	bool json, first;
};

static void begin(struct line *l, uint64_t gva)
{
	char where[256];

	if (l->json) {
		printf("%s\n  {\"address\": %" PRIu64 ", \"text\": ", l->first ? "" : ",", gva);
		l->first = false;
		return;
	}
	printf("%s0x%" PRIx64 "%s%s%s:", gyve_paint(GYVE_PAINT_ADDRESS), gva, gyve_paint(GYVE_PAINT_NAME),
	       symbol_text(l->d, gva, where, sizeof(where)), gyve_paint(GYVE_PAINT_OFF));
}

static void text(struct line *l, const char *s)
{
	if (l->json)
		gyve_json_string(s);
	else
		printf("\t%s", s);
}

static void end(struct line *l)
{
	printf(l->json ? "}" : "\n");
}

static int unreadable(const struct gyve_err *err)
{
	fflush(stdout);
	return gyve_say_err(err, 1);
}

static int values(struct line *l, uint64_t *gva, const struct fmt *f)
{
	unsigned per_line = l->json ? 1 : f->size == 8 ? 2 : f->size == 4 ? 4 : 8;
	struct gyve_err err = {0};
	uint8_t p[8] = {0};
	char buf[320];

	if (f->kind == 'a' && !l->json)
		per_line = 2;
	for (unsigned long i = 0; i < f->count; i++, *gva += f->size) {
		ssize_t n = gyve_target_read(&l->d->target, l->d->cpu, *gva, p, f->size, &err);
		if (n != (ssize_t)f->size) {
			if (i % per_line)
				end(l);
			if (n >= 0)
				gyve_err_set(&err, -EFAULT, "0x%" PRIx64 " reaches beyond mapped memory", *gva);
			return unreadable(&err);
		}
		if (i % per_line == 0)
			begin(l, *gva);
		value_text(l->d, p, f, buf, sizeof(buf));
		text(l, buf);
		if (i % per_line == per_line - 1 || i + 1 == f->count)
			end(l);
	}
	return 0;
}

static int strings(struct line *l, uint64_t *gva, const struct fmt *f)
{
	static char out[4 * MAX_STRING + 8];
	uint8_t buf[MAX_STRING];
	struct gyve_err err = {0};

	for (unsigned long i = 0; i < f->count; i++) {
		ssize_t n = gyve_target_read(&l->d->target, l->d->cpu, *gva, buf, sizeof(buf), &err);
		if (n <= 0)
			return unreadable(&err);
		size_t len = strnlen((char *)buf, (size_t)n), at = 0;
		out[at++] = '"';
		for (size_t k = 0; k < len; k++)
			at += (size_t)sprintf(out + at,
					      buf[k] == '"' || buf[k] == '\\' ? "\\%c"
					      : buf[k] == '\n'                ? "\\n"
					      : isprint(buf[k])               ? "%c"
									      : "\\%03o",
					      buf[k]);
		out[at++] = '"';
		out[at] = '\0';
		begin(l, *gva);
		text(l, out);
		end(l);
		*gva += len + 1;
	}
	return 0;
}

#ifdef HAVE_CAPSTONE
/* Where a branch leads, by name. */
static void add_target(struct gyve_dump *d, const char *mnemonic, char *buf, size_t size)
{
	const char *last = strstr(buf, "0x");
	char where[256], *end;
	size_t len = strlen(buf);

	if (!last || !strchr(d->core->arch->id == GYVE_X86_64 ? "jc" : "bct", *mnemonic))
		return;
	for (const char *next; (next = strstr(last + 1, "0x"));)
		last = next;
	uint64_t to = strtoull(last, &end, 16);
	if (!*end && (last == buf || (last[-1] != '$' && last[-1] != '-')))
		snprintf(buf + len, size - len, "%s", symbol_text(d, to, where, sizeof(where)));
}
#endif

/* Length of the instruction, 0: none that is known. */
static size_t disassemble(struct gyve_dump *d, const uint8_t *p, size_t n, uint64_t gva, char *buf, size_t size)
{
#ifdef HAVE_CAPSTONE
	static csh handle;
	cs_insn *insn;
	bool x86 = d->core->arch->id == GYVE_X86_64;

	if (!handle) {
		if (late_cs(NULL) < 0 ||
		    cs.cs_open(x86 ? CS_ARCH_X86 : CS_ARCH_ARM64, x86 ? CS_MODE_64 : CS_MODE_ARM, &handle) != CS_ERR_OK)
			return 0;
		if (x86)
			cs.cs_option(handle, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT);
	}
	if (!cs.cs_disasm(handle, p, n, gva, 1, &insn))
		return 0;
	size_t len = insn->size;
	snprintf(buf, size, "%s%s%s", insn->mnemonic, *insn->op_str ? " " : "", insn->op_str);
	add_target(d, insn->mnemonic, buf, size);
	cs.cs_free(insn, 1);
	return len;
#elif defined(__x86_64__)
	int len = d->core->arch->id == GYVE_X86_64 ? gyve_x86_disasm(p, n, gva, buf, size) : -1;
	return len > 0 ? (size_t)len : 0;
#else
	(void)d, (void)p, (void)n, (void)gva, (void)buf, (void)size;
	return 0;
#endif
}

static int instructions(struct line *l, uint64_t *gva, const struct fmt *f)
{
	size_t step = l->d->core->arch->id == GYVE_X86_64 ? 1 : 4;
	uint64_t pc = l->d->core->arch->pc(&l->d->core->regs[l->d->cpu]);
	struct gyve_err err = {0};
	uint8_t p[15];
	char buf[200];

	for (unsigned long i = 0; i < f->count; i++) {
		ssize_t n = gyve_target_read(&l->d->target, l->d->cpu, *gva, p, sizeof(p), &err);
		if (n <= 0)
			return unreadable(&err);
		size_t len = disassemble(l->d, p, (size_t)n, *gva, buf, sizeof(buf));
		if (!len)
			snprintf(buf, sizeof(buf), "(bad)");
		if (!l->json)
			printf("%s", *gva == pc ? "=> " : "   ");
		begin(l, *gva);
		text(l, buf);
		end(l);
		*gva += len ? len : step;
	}
	return 0;
}

static int x(struct gyve_dump_run *r)
{
	const char *slash = strchr(r->name, '/');
	struct line l = {&r->d, r->json, true};
	struct gyve_err err = {0};
	struct fmt f;
	uint64_t gva;
	int status = 0;

	if (gyve_x_format(slash ? slash + 1 : "", &f.count, &f.kind, &f.size) < 0) {
		fprintf(stderr, "gyve: '%.40s' is no format: a count, one of x d u o t a c f s i z, one of b h w g\n",
			slash + 1);
		return GYVE_STATUS_USAGE;
	}
	for (int i = 0; i < r->nwords && status == 0; i++) {
		if (gyve_dump_address(&r->d, r->words[i], &gva, &err) < 0)
			status = gyve_say_err(&err, GYVE_STATUS_USAGE);
		else
			status = f.kind == 's'   ? strings(&l, &gva, &f)
				 : f.kind == 'i' ? instructions(&l, &gva, &f)
						 : values(&l, &gva, &f);
	}
	return status;
}

const struct gyve_dump_cmd gyve_dump_x = {
	"x[/FMT] [OPTION...] DUMP ADDRESS...\n"
	"  FMT: a count, one of x d u o t a c f s i z, one of b h w g: x/8xg x/3i x/s",
	.min = 1,
	.max = -1,
	.list = true,
	.run = x,
};
