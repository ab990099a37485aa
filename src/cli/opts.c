/* Options of `gyve run`: a row and a function each. */
#include "opts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

extern char **environ;

enum value { NONE, REQUIRED, OPTIONAL_ATTACHED, OPTIONAL_PORT };

struct option_row {
	char letter; /* 0: none */
	const char *name;
	enum value value;
	const char *env; /* read first; the command line wins */
	int (*set)(struct gyve_opts *o, const char *value, struct gyve_err *err);
};

int gyve_size_parse(uint64_t *ret, const char *text, struct gyve_err *err)
{
	static const struct {
		const char *name;
		uint64_t factor;
	} units[] = {
		{"", 1},
		{"B", 1},
		{"k", 1000},
		{"kB", 1000},
		{"K", 1000},
		{"KB", 1000},
		{"Ki", 1 << 10},
		{"KiB", 1 << 10},
		{"M", 1000000},
		{"MB", 1000000},
		{"Mi", 1 << 20},
		{"MiB", 1 << 20},
		{"G", 1000000000},
		{"GB", 1000000000},
		{"Gi", 1 << 30},
		{"GiB", 1 << 30},
		{"T", 1000000000000},
		{"TB", 1000000000000},
		{"Ti", 1ull << 40},
		{"TiB", 1ull << 40},
	};
	size_t digits = strspn(text, "0123456789");
	unsigned long long n;
	uint64_t v;

	errno = 0;
	n = strtoull(text, NULL, 10);
	if (digits == 0 || errno)
		return gyve_err_set(err, -EINVAL, "'%.60s' is not a size: write 64MiB, 1GiB or bytes", text);
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(units); i++) {
		if (strcmp(text + digits, units[i].name) != 0)
			continue;
		if (__builtin_mul_overflow(n, units[i].factor, &v) || v == 0)
			return gyve_err_set(err, -EINVAL, "the size '%.60s' is out of range", text);
		*ret = v;
		return 0;
	}
	return gyve_err_set(err, -EINVAL,
			    "'%.60s' has no unit I know: B, KiB, MiB, GiB, TiB, or kB, MB, GB, TB (powers of ten)", text);
}

static int set_memory(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	o->mem_size_given = true;
	return gyve_size_parse(&o->mem_size, value, err);
}

static int set_cpus(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	size_t digits = strspn(value, "0123456789");
	unsigned long n = strtoul(value, NULL, 10);

	if (digits == 0 || digits > 5 || value[digits] || n == 0 || n > 1024)
		return gyve_err_set(err, -EINVAL, "'%.60s' is not a number of vCPUs (1..1024)", value);
	o->ncpus = (unsigned)n;
	return 0;
}

static int set_gdb(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	static const char suffix[] = ",nowait";
	size_t len = value ? strlen(value) : 0, n = sizeof(suffix) - 1;
	char spec[256];

	o->nowait = len >= n && strcmp(value + len - n, suffix) == 0;
	if (o->nowait)
		len -= n;
	else if (len == n - 1 && strcmp(value, suffix + 1) == 0) /* --gdb=nowait */
		o->nowait = true, len = 0;
	if (len >= sizeof(spec))
		return gyve_err_set(err, -EINVAL, "'%.40s...' is too long a place to listen", value);
	memcpy(spec, value ? value : "", len);
	spec[len] = '\0';
	o->gdb = true;
	return gyve_listen_parse(&o->listen, spec, err);
}

static int set_no_aslr(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	(void)value, (void)err;
	o->aslr = false;
	return 0;
}

static int add_env(struct gyve_opts *o, const char *value)
{
	const char **env = realloc(o->env, (o->nenv + 2) * sizeof(*env));

	if (!env)
		return -ENOMEM;
	o->env = env;
	env[o->nenv++] = value;
	env[o->nenv] = NULL;
	return 0;
}

static int set_env(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	int ret = 0;

	if (strcmp(value, "host") == 0) {
		for (char **e = environ; *e && ret == 0; e++)
			ret = strchr(*e, '=') ? add_env(o, *e) : 0;
		return ret;
	}
	if (!strchr(value, '=') || value[0] == '=')
		return gyve_err_set(err, -EINVAL, "'%.60s' is not NAME=VALUE (or 'host' for all of the host's)", value);
	return add_env(o, value);
}

static int set_output(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	(void)err;
	o->output = value;
	return 0;
}

static int set_stats(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	(void)value, (void)err;
	o->stats = true;
	return 0;
}

static int set_strict(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	(void)value, (void)err;
	o->strict = true;
	return 0;
}

/* The value's place in names, a list that NULL ends; the first is the default. */
static int choose(const char *const *names, const char *value, struct gyve_err *err)
{
	char list[128] = "";

	for (int i = 0; names[i]; i++) {
		if (strcmp(names[i], value) == 0)
			return i;
		size_t n = strlen(list);
		snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "", names[i]);
	}
	return gyve_err_set(err, -EINVAL, "'%.60s' is none of: %s", value, list);
}

static int set_break_strategy(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	static const char *const names[] = {[GYVE_BREAK_AUTO] = "auto",
					    [GYVE_BREAK_NATIVE] = "native",
					    [GYVE_BREAK_INTERNAL_ERROR] = "internal-error",
					    [GYVE_BREAK_DEBUG_REGISTER] = "debug-register",
					    [GYVE_BREAK_STEP] = "step",
					    NULL};
	int i = choose(names, value, err);

	o->break_strategy = i < 0 ? GYVE_BREAK_AUTO : (enum gyve_break_strategy)i;
	return i < 0 ? i : 0;
}

static int set_watch_strategy(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	static const char *const names[] = {[GYVE_WATCH_AUTO] = "auto",
					    [GYVE_WATCH_DEBUG_REGISTER] = "debug-register",
					    [GYVE_WATCH_PAGE] = "page",
					    [GYVE_WATCH_STEP] = "step",
					    NULL};
	int i = choose(names, value, err);

	o->watch_strategy = i < 0 ? GYVE_WATCH_AUTO : (enum gyve_watch_strategy)i;
	return i < 0 ? i : 0;
}

static int set_no_probe_cache(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	(void)value, (void)err;
	o->no_probe_cache = true;
	return 0;
}

static int set_file_mapping(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	const char **list = realloc(o->file_mappings, (o->nfile_mappings + 2) * sizeof(*list));

	(void)err;
	if (!list)
		return -ENOMEM;
	o->file_mappings = list;
	list[o->nfile_mappings++] = value;
	list[o->nfile_mappings] = NULL;
	return 0;
}

static int set_tempdir(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	(void)err;
	o->tempdir = value;
	return 0;
}

static int set_isolation(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	static const char *const names[] = {
		[GYVE_ISOLATION_NORMAL] = "normal", [GYVE_ISOLATION_STRICT] = "strict", [GYVE_ISOLATION_NONE] = "none", NULL};
	int i = choose(names, value, err);

	o->isolation = i < 0 ? GYVE_ISOLATION_NORMAL : (enum gyve_isolation)i;
	return i < 0 ? i : 0;
}

/* host=direct,sync in any order and case; what has no = means nothing special. */
static int set_io_mode(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	static const char prefix[] = "host=";
	const char *p = value + sizeof(prefix) - 1;

	o->io_direct = o->io_sync = false;
	if (!strchr(value, '='))
		return 0;
	if (strncasecmp(value, prefix, sizeof(prefix) - 1) != 0)
		return gyve_err_set(err, -EINVAL, "'%.60s' is not an I/O mode: write host=direct, host=sync or both", value);
	while (*p) {
		size_t n = strcspn(p, ",");
		if (n == 6 && strncasecmp(p, "direct", n) == 0)
			o->io_direct = true;
		else if (n == 4 && strncasecmp(p, "sync", n) == 0)
			o->io_sync = true;
		else
			return gyve_err_set(err, -EINVAL, "'%.60s' is not an I/O mode: write host=direct, host=sync or both",
					    value);
		p += n + (p[n] == ',');
	}
	return 0;
}

static int set_dump(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	if (!*value)
		return gyve_err_set(err, -EINVAL, "the file's name is empty");
	o->dump = value;
	return 0;
}

static int set_dump_on(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	static const char *const names[] = {"crash", "exit", "panic", NULL};
	bool *const flags[] = {&o->dump_crash, &o->dump_exit, &o->dump_panic};
	char word[16];

	for (const char *p = value; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
		snprintf(word, sizeof(word), "%.*s", (int)strcspn(p, ","), p);
		int i = choose(names, word, err);
		if (i < 0)
			return i;
		*flags[i] = true;
	}
	return 0;
}

static int set_compress(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	(void)value, (void)err;
	o->compress = true;
	return 0;
}

static int set_dump_notes(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	static const char *const names[] = {"qemu", NULL};

	if (choose(names, value, err) < 0)
		return -EINVAL;
	o->dump_qemu = true;
	return 0;
}

static int set_dump_virtual(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	(void)value, (void)err;
	o->dump_virtual = true;
	return 0;
}

static int set_log(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	(void)err;
	o->log = value;
	return 0;
}

static int set_help(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	(void)value, (void)err;
	o->help = true;
	return 0;
}

static int set_version(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	(void)value, (void)err;
	o->version = true;
	return 0;
}

static const struct option_row rows[] = {
	{'m', "memory-size", REQUIRED, "HERMIT_MEMORY_SIZE", set_memory},
	{'c', "cpu-count", REQUIRED, "HERMIT_CPU_COUNT", set_cpus},
	{0, "gdb", OPTIONAL_ATTACHED, NULL, set_gdb},
	{'s', "gdb-port", OPTIONAL_PORT, "HERMIT_GDB_PORT", set_gdb},
	{0, "no-aslr", NONE, NULL, set_no_aslr},
	{'e', "env-vars", REQUIRED, NULL, set_env},
	{'o', "output", REQUIRED, NULL, set_output},
	{0, "file-mapping", REQUIRED, NULL, set_file_mapping},
	{0, "tempdir", REQUIRED, NULL, set_tempdir},
	{0, "file-isolation", REQUIRED, NULL, set_isolation},
	{0, "io-mode", REQUIRED, NULL, set_io_mode},
	{0, "stats", NONE, NULL, set_stats},
	{0, "strict", NONE, NULL, set_strict},
	{0, "break-strategy", REQUIRED, "GYVE_BREAK_STRATEGY", set_break_strategy},
	{0, "watch-strategy", REQUIRED, "GYVE_WATCH_STRATEGY", set_watch_strategy},
	{0, "no-probe-cache", NONE, NULL, set_no_probe_cache},
	{0, "dump", REQUIRED, NULL, set_dump},
	{0, "dump-on", REQUIRED, NULL, set_dump_on},
	{0, "compress", NONE, NULL, set_compress},
	{0, "dump-notes", REQUIRED, NULL, set_dump_notes},
	{0, "dump-virtual", NONE, NULL, set_dump_virtual},
	{0, "log", REQUIRED, "GYVE_LOG", set_log},
	{'h', "help", NONE, NULL, set_help},
	{'V', "version", NONE, NULL, set_version},
};

static const char help[] =
	"  -m, --memory-size SIZE    guest memory: 64MiB, 1GiB, 512M (10^6) [64MiB; HERMIT_MEMORY_SIZE]\n"
	"  -c, --cpu-count N         number of vCPUs [1; HERMIT_CPU_COUNT]\n"
	"      --gdb[=LISTEN]        stop at the first instruction and wait for gdb at LISTEN:\n"
	"                            PORT, HOST:PORT, unix:PATH, stdio or tty:PATH [127.0.0.1:6677]\n"
	"      --gdb=[LISTEN,]nowait listen, but let the guest run at once\n"
	"  -s, --gdb-port [PORT]     the same as --gdb=PORT [HERMIT_GDB_PORT]\n"
	"      --no-aslr             load a position-independent image at a fixed address\n"
	"  -e, --env-vars K=V        a variable of the guest's environment (repeat); 'host': all of the host's\n"
	"  -o, --output WHERE        guest output: FILE or file:FILE (a new one), none, stdio [standard output]\n"
	"      --file-mapping H:G[:ro]\n"
	"                            the guest finds host file or directory H at its path G (repeat); ro: only to read\n"
	"      --tempdir DIR         where files go that the guest makes at other paths [TMPDIR]\n"
	"      --file-isolation HOW  Landlock around gyve: normal (as far as the kernel can), strict or none\n"
	"      --io-mode host=MODE   direct, sync or both, for files in the temporary directory\n"
	"      --stats               print exits and assisted instructions at the end, on standard error\n"
	"      --strict              an access to an unknown port or address ends the guest\n"
	"      --break-strategy HOW  software breakpoints by auto, native, internal-error, debug-register or step\n"
	"                            [auto; GYVE_BREAK_STRATEGY]\n"
	"      --watch-strategy HOW  watchpoints by auto, debug-register, page or step [auto; GYVE_WATCH_STRATEGY]\n"
	"      --no-probe-cache      look anew at what this host does for a debugger\n"
	"      --dump FILE           where dumps go: when the guest crashes, and at SIGQUIT\n"
	"      --dump-on WHEN,...    crash, exit, panic (an exit status that is not 0) [crash]\n"
	"      --compress            dumps in zstd frames that can be read one by one\n"
	"      --dump-notes qemu     QEMU's register notes in them as well\n"
	"      --dump-virtual        segments by virtual address in them as well\n"
	"      --log SPEC            warn, or kvm=info,gdb=debug: main kvm run bp gdb hermit load [GYVE_LOG]\n"
	"  -h, --help                this text\n"
	"  -V, --version             the version\n";

const char *gyve_opts_help(void)
{
	return help;
}

static int from_environment(struct gyve_opts *o, struct gyve_err *err)
{
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(rows); i++) {
		const char *value = rows[i].env ? getenv(rows[i].env) : NULL;
		int ret = value && *value ? rows[i].set(o, value, err) : 0;
		if (ret < 0) {
			gyve_err_prefix(err, "%s", rows[i].env);
			return ret;
		}
	}
	return 0;
}

static const struct option_row *find_long(const char *name, size_t len)
{
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(rows); i++)
		if (strlen(rows[i].name) == len && strncmp(rows[i].name, name, len) == 0)
			return &rows[i];
	return NULL;
}

static const struct option_row *find_letter(char letter)
{
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(rows); i++)
		if (rows[i].letter && rows[i].letter == letter)
			return &rows[i];
	return NULL;
}

/* Give row its value: attached (may be NULL), or the next word where the row allows it. */
static int apply(struct gyve_opts *o, const struct option_row *row, const char *attached, char **argv, int *i,
		 struct gyve_err *err)
{
	const char *next = argv[*i + 1], *value = attached;
	int ret;

	if (row->value == NONE && attached)
		return gyve_err_set(err, -EINVAL, "--%s takes no value", row->name);
	if (row->value == REQUIRED && !value) {
		if (!next)
			return gyve_err_set(err, -EINVAL, "--%s needs a value", row->name);
		value = next;
		++*i;
	} else if (row->value == OPTIONAL_PORT && !value && next && *next && !next[strspn(next, "0123456789")]) {
		value = next;
		++*i;
	}
	ret = row->set(o, value, err);
	if (ret == -EINVAL)
		gyve_err_prefix(err, "--%s", row->name);
	return ret;
}

static int short_options(struct gyve_opts *o, char **argv, int *i, struct gyve_err *err)
{
	int word = *i, ret = 0;

	for (const char *p = argv[word] + 1; *p && ret == 0; p++) {
		const struct option_row *row = find_letter(*p);
		if (!row)
			return gyve_err_set(err, -EINVAL, "there is no option -%c", *p);
		if (row->value == NONE) {
			ret = apply(o, row, NULL, argv, i, err);
			continue;
		}
		return apply(o, row, p[1] ? p + 1 + (p[1] == '=') : NULL, argv, i, err);
	}
	return ret;
}

static int long_option(struct gyve_opts *o, char **argv, int *i, struct gyve_err *err)
{
	const char *name = argv[*i] + 2, *eq = strchr(name, '=');
	const struct option_row *row = find_long(name, eq ? (size_t)(eq - name) : strlen(name));

	if (!row)
		return gyve_err_set(err, -EINVAL, "there is no option %.60s", argv[*i]);
	return apply(o, row, eq ? eq + 1 : NULL, argv, i, err);
}

int gyve_opts_parse(struct gyve_opts *ret, int argc, char **argv, struct gyve_err *err)
{
	struct gyve_opts *o = ret;
	bool ended = false;
	int i, res;

	memset(o, 0, sizeof(*o));
	o->mem_size = 64ull << 20;
	o->ncpus = 1;
	o->aslr = true;
	res = from_environment(o, err);
	for (i = 1; res == 0 && i < argc; i++) {
		if (strcmp(argv[i], "--") == 0) {
			ended = true;
			i++;
			break;
		}
		if (argv[i][0] != '-' || !argv[i][1])
			break;
		res = argv[i][1] == '-' ? long_option(o, argv, &i, err) : short_options(o, argv, &i, err);
	}
	if (res == 0 && i < argc) {
		o->image = argv[i++];
		if (!ended && i < argc && strcmp(argv[i], "--") == 0)
			i++;
	}
	if (!o->dump_crash && !o->dump_exit && !o->dump_panic)
		o->dump_crash = true;
	else if (res == 0 && !o->dump)
		res = gyve_err_set(err, -EINVAL, "--dump-on needs --dump FILE");
	o->args = (const char *const *)&argv[i < argc ? i : argc];
	if (res == 0 && !o->env)
		res = (o->env = calloc(1, sizeof(*o->env))) ? 0 : -ENOMEM;
	if (res == -ENOMEM)
		gyve_err_set(err, res, "no memory");
	if (res < 0)
		gyve_opts_deinit(o);
	return res;
}

void gyve_opts_deinit(struct gyve_opts *o)
{
	free(o->env);
	free(o->file_mappings);
	o->file_mappings = NULL;
	o->env = NULL;
	o->nenv = 0;
}
