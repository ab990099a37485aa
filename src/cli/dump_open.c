/* A dump opened for a command: options, symbols, addresses. */
#include "dump_open.h"

#include "cmd.h"
#include "dump_symbols.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char gyve_dump_options_help[] =
	"  --json            machine-readable output\n"
	"  --color WHEN      auto, always or never [auto: on a terminal, unless NO_COLOR is set]\n"
	"  --cpu N           look through vCPU N [the one that stopped]\n"
	"  --symbols ELF     symbols from ELF [the image the dump names, by build id beside the dump or in the debug "
	"directory]\n"
	"  --debug-dir DIR   where debug files are: .build-id/..., and below the images' directories [/usr/lib/debug]\n"
	"  --bias ADDRESS    what to add to the symbols' addresses [as the dump says]\n"
	"  --raw gpa=ADDRESS[,arch=NAME]  the file is bare memory from ADDRESS on\n"
	"  --arch NAME       x86_64 or aarch64, for formats that do not say it (LiME) [this host's]\n"
	"  --find-tables     the dump has no system registers: look for page tables (of a Linux kernel: where it says)\n"
	"  --reg NAME=VALUE  a register the dump does not have, of every vCPU (repeat): --reg cr3=0x1000\n";

static int usage(const char *fmt, const char *arg)
{
	fprintf(stderr, "gyve: ");
	fprintf(stderr, fmt, arg);
	fprintf(stderr, "\ntry: gyve --help\n");
	return -EINVAL;
}

static bool number(const char *text, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 0);
	return isdigit((unsigned char)*text) && !*end && !errno;
}

static int set_arch(struct gyve_dump_opts *o, const char *value)
{
	if (strcmp(value, "x86_64") != 0 && strcmp(value, "aarch64") != 0)
		return usage("--arch: '%.60s' is neither x86_64 nor aarch64", value);
	o->open.arch = *value == 'x' ? &gyve_arch_x86_64 : &gyve_arch_aarch64;
	return 0;
}

static int set_raw(struct gyve_dump_opts *o, const char *value)
{
	char copy[128], *save = NULL;

	o->open.raw = true;
	if (strlen(value) >= sizeof(copy))
		return usage("--raw: '%.60s' is too long", value);
	strcpy(copy, value);
	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		if (strncmp(w, "gpa=", 4) == 0 && number(w + 4, &o->open.raw_gpa))
			continue;
		if (strncmp(w, "arch=", 5) != 0)
			return usage("--raw: '%.60s' is neither gpa=ADDRESS nor arch=NAME", w);
		if (set_arch(o, w + 5) < 0)
			return -EINVAL;
	}
	return 0;
}

static int set_symbols(struct gyve_dump_opts *o, const char *value)
{
	o->symbols = value;
	return 0;
}

static int set_debug_dir(struct gyve_dump_opts *o, const char *value)
{
	o->debug_dir = value;
	return 0;
}

static int set_color(struct gyve_dump_opts *o, const char *value)
{
	static const char *const when[] = {"auto", "always", "never"};

	for (unsigned i = 0; i < GYVE_ARRAY_SIZE(when); i++)
		if (strcmp(value, when[i]) == 0) {
			o->color = i;
			return 0;
		}
	return usage("--color: '%.60s' is not auto, always or never", value);
}

static int set_bias(struct gyve_dump_opts *o, const char *value)
{
	o->bias_given = true;
	return number(value, &o->bias) ? 0 : usage("--bias: '%.60s' is not a number", value);
}

static int set_cpu(struct gyve_dump_opts *o, const char *value)
{
	uint64_t n;

	if (!number(value, &n) || n >= GYVE_CORE_MAX_CPUS)
		return usage("--cpu: '%.60s' is not the number of a vCPU", value);
	o->cpu = (unsigned)n;
	o->cpu_given = true;
	return 0;
}

static int set_reg(struct gyve_dump_opts *o, const char *value)
{
	if (o->nregs + 1 >= GYVE_ARRAY_SIZE(o->regs))
		return usage("--reg %.60s: too many", value);
	o->regs[o->nregs++] = value;
	o->open.regs = o->regs;
	return 0;
}

static const struct {
	const char *name;
	int (*set)(struct gyve_dump_opts *o, const char *value);
} with_value[] = {
	{"--symbols", set_symbols}, {"--arch", set_arch}, {"--debug-dir", set_debug_dir},
	{"--color", set_color},     {"--bias", set_bias}, {"--raw", set_raw},
	{"--cpu", set_cpu},         {"--reg", set_reg},
};

/* 1: taken, *i moved behind it; 0: not ours. */
static int take(struct gyve_dump_opts *o, int argc, char **argv, int *i)
{
	const char *a = argv[*i];

	if (strcmp(a, "--json") == 0)
		return o->json = true, 1;
	if (strcmp(a, "--find-tables") == 0)
		return o->open.find_roots = true, 1;
	if (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0)
		return o->help = true, 1;
	for (size_t k = 0; k < GYVE_ARRAY_SIZE(with_value); k++) {
		size_t n = strlen(with_value[k].name);
		const char *value = NULL;
		if (strncmp(a, with_value[k].name, n) != 0 || (a[n] && a[n] != '='))
			continue;
		if (a[n] == '=')
			value = a + n + 1;
		else if (*i + 1 < argc)
			value = argv[++*i];
		if (!value)
			return usage("%s needs a value", a);
		return with_value[k].set(o, value) < 0 ? -EINVAL : 1;
	}
	return 0;
}

int gyve_dump_options(struct gyve_dump_opts *o, int *argc, char **argv)
{
	int kept = 1, i;

	memset(o, 0, sizeof(*o));
	for (i = 1; i < *argc && strcmp(argv[i], "--") != 0; i++) {
		int ret = take(o, *argc, argv, &i);
		if (ret < 0)
			return ret;
		if (!ret)
			argv[kept++] = argv[i];
	}
	for (i++; i < *argc; i++) /* behind -- */
		argv[kept++] = argv[i];
	*argc = kept;
	argv[kept] = NULL;
	return 0;
}

int gyve_dump_open(struct gyve_dump *d, const char *path, const struct gyve_dump_opts *o)
{
	struct gyve_core_open open = o->open;
	struct gyve_err err = {0};
	int ret;

	memset(d, 0, sizeof(*d));
	open.writable = o->writable;
	open.regs = o->nregs ? o->regs : NULL;
	if (gyve_core_open(&d->core, path, &open, &err) < 0)
		return gyve_say_err(&err, GYVE_STATUS_FAILED);
	for (char *w = d->core->warnings, *nl; w && (nl = strchr(w, '\n')); w = nl + 1)
		fprintf(stderr, "gyve: %s: %.*s\n", path, (int)(nl - w), w);
	ret = gyve_dump_find_symbols(d, path, o) ? 0 : GYVE_STATUS_FAILED;
	if (ret == 0 && gyve_target_post(&d->target, d->core, NULL, d->image.path) < 0) {
		gyve_err_set(&err, -ENOMEM, "no memory");
		ret = gyve_say_err(&err, GYVE_STATUS_FAILED);
	}
	if (ret == 0)
		gyve_dump_load_symbols(d, o);
	d->cpu = o->cpu_given ? o->cpu : d->core->info.stop_cpu;
	if (ret == 0 && d->cpu >= d->core->ncpus) {
		gyve_err_set(&err, -EINVAL, "there is no vCPU %u, the dump has %u", d->cpu, d->core->ncpus);
		ret = gyve_say_err(&err, GYVE_STATUS_USAGE);
	}
	if (ret)
		gyve_dump_close(d);
	return ret;
}

void gyve_dump_close(struct gyve_dump *d)
{
	if (d->target.ops)
		gyve_target_deinit(&d->target);
	gyve_dump_drop_symbols(d);
	gyve_core_close(d->core);
	memset(d, 0, sizeof(*d));
}

/* --- addresses */

static int base_address(struct gyve_dump *d, const char *word, uint64_t *ret, struct gyve_err *err)
{
	const struct gyve_reg_row *row = NULL;
	uint8_t value[64] = {0};

	if (number(word, ret))
		return 0;
	if (*word == '$') {
		const char *name = word + 1;
		if (strcmp(name, "pc") == 0 || strcmp(name, "sp") == 0 || strcmp(name, "fp") == 0) {
			const struct gyve_arch *a = d->core->arch;
			*ret = (*name == 'p' ? a->pc : *name == 's' ? a->sp : a->fp)(&d->core->regs[d->cpu]);
			return 0;
		}
		row = gyve_reg_find(d->core->arch, name);
		if (!row || row->bits > 64 || gyve_target_reg_get(&d->target, d->cpu, row, value, NULL) < 0)
			return gyve_err_set(err, -EINVAL, "there is no register '%.60s' of at most 64 bits in the dump", word);
		memcpy(ret, value, sizeof(*ret));
		return 0;
	}
	if (d->target.syms && gyve_symtab_lookup(d->target.syms, word, ret) == 0)
		return 0;
	return gyve_err_set(err, -EINVAL, "'%.60s' is neither a number nor a known symbol nor $REGISTER", word);
}

int gyve_dump_address(struct gyve_dump *d, const char *text, uint64_t *ret, struct gyve_err *err)
{
	const char *plus = strrchr(text, '+');
	char word[256];
	uint64_t off = 0;
	int res;

	if (plus && !number(plus + 1, &off))
		plus = NULL;
	snprintf(word, sizeof(word), "%.*s", (int)(plus ? plus - text : 255), text);
	res = base_address(d, word, ret, err);
	if (res == 0 && plus)
		*ret += off;
	return res;
}

const char *gyve_dump_where(struct gyve_dump *d, uint64_t gva, char *buf, size_t size)
{
	gyve_symtab_format(d->target.syms, gva, buf, size);
	if (strncmp(buf, "0x", 2) == 0)
		buf[0] = '\0';
	return buf;
}
