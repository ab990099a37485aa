/* Every option of `gyve run` from each place it can come from: command line, environment, configuration file. */
#include "unit.h"

#include "../../src/cli/opt_rows.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* For each option but --config, --help, --version and those that need another one: something that is not the default; NULL:
 * switched on. toml: as the file has it, NULL: the text, or true. */
static const struct {
	const char *name, *value, *toml;
} samples[] = {
	{"memory-size", "128MiB", NULL},
	{"cpu-count", "3", "3"},
	{"no-aslr", NULL, NULL},
	{"thp", NULL, NULL},
	{"ksm", NULL, NULL},
	{"affinity", "0", "[0]"},
	{"cpu-pm", NULL, NULL},
	{"pit", NULL, NULL},
	{"strict", NULL, NULL},
	{"env-vars", "A=1", "[\"A=1\"]"},
	{"output", "none", NULL},
	{"hermit-image-mode", "internal", NULL},
	{"file-mapping", "/a:/b:ro", "[\"/a:/b:ro\"]"},
	{"tempdir", "/var/tmp", NULL},
	{"io-mode", "host=direct,sync", NULL},
	{"file-isolation", "strict", NULL},
	{"gdb", "1234", "1234"},
	{"gdb-port", "1234", "1234"},
	{"break-strategy", "step", NULL},
	{"watch-strategy", "page", NULL},
	{"no-probe-cache", NULL, NULL},
	{"dump", "vm.core", NULL},
	{"compress", NULL, NULL},
	{"dump-notes", "qemu", NULL},
	{"live-dump", NULL, NULL},
	{"dump-virtual", NULL, NULL},
	{"stats", NULL, NULL},
	{"log", "gdb=debug", NULL},
};

static const char *text(const char *s)
{
	return s ? s : "-";
}

static char *describe(const struct gyve_opts *o)
{
	static char s[2][1000];
	static unsigned turn;
	char *p = s[turn++ & 1];

	snprintf(p, sizeof(s[0]),
		 "mem %llu %d cpus %u gdb %d %d %s aslr %d stats %d strict %d cache %d thp %d ksm %d pm %d pit %d affinity %u "
		 "break %d watch %d dump %s %d %d %d %d %d %d %d out %s log %s env %zu %s files %zu %s temp %s iso %d internal "
		 "%d io %d %d",
		 (unsigned long long)o->mem_size, o->mem_size_given, o->ncpus, o->gdb, o->nowait,
		 o->gdb ? text(o->listen.port) : "-", o->aslr, o->stats, o->strict, o->no_probe_cache, o->thp, o->ksm,
		 o->cpu_pm, o->pit, o->naffinity, o->break_strategy, o->watch_strategy, text(o->dump), o->dump_crash,
		 o->dump_exit, o->dump_panic, o->compress, o->dump_qemu, o->dump_virtual, o->live_dump, text(o->output),
		 text(o->log), o->nenv, o->nenv ? o->env[0] : "-", o->nfile_mappings,
		 o->nfile_mappings ? o->file_mappings[0] : "-", text(o->tempdir), o->isolation, o->image_internal, o->io_direct,
		 o->io_sync);
	return p;
}

static char *parse(const char *word, const char *config)
{
	const char *argv[] = {"run", "--config", config, word ? word : "img", word ? "img" : NULL, NULL};
	struct gyve_opts o;
	struct gyve_err e = {0};

	if (gyve_opts_parse(&o, word ? 5 : 4, (char **)argv, &e) < 0)
		fail_msg("%s, %s: %s", text(word), config, e.text);
	char *d = describe(&o);
	gyve_opts_deinit(&o);
	return d;
}

static void write_file(const char *table, const char *key, size_t i)
{
	FILE *f = fopen("test_opt_sources.toml", "w");

	assert_non_null(f);
	if (table) {
		fprintf(f, "[%s]\n%s = ", table, key);
		if (samples[i].toml || !samples[i].value)
			fprintf(f, "%s\n", samples[i].toml ? samples[i].toml : "true");
		else
			fprintf(f, "\"%s\"\n", samples[i].value);
	}
	assert_int_equal(fclose(f), 0);
}

static const struct option_row *row_of(const char *name)
{
	for (size_t i = 0; i < gyve_option_count; i++)
		if (gyve_option_rows[i].help && strcmp(gyve_option_rows[i].name, name) == 0)
			return &gyve_option_rows[i];
	fail_msg("there is no option --%s", name);
	return NULL;
}

/* --NAME=VALUE, GYVE_NAME=VALUE, key in [gyve], key in uhyve's table: all the same, and not as without. */
static void one_option(size_t i, const char *plain)
{
	const struct option_row *row = row_of(samples[i].name);
	char word[80], name[48], key[48], want[1000], table[16] = "";

	snprintf(word, sizeof(word), samples[i].value ? "--%s=%s" : "--%s", row->name, samples[i].value);
	snprintf(name, sizeof(name), "GYVE_%s", row->name);
	snprintf(key, sizeof(key), "%s", row->name);
	for (char *c = name; *c; c++)
		*c = *c == '-' ? '_' : (char)toupper(*c);
	for (char *c = key; *c; c++)
		*c = *c == '-' ? '_' : *c;
	write_file(NULL, NULL, 0);
	snprintf(want, sizeof(want), "%s", parse(word, "test_opt_sources.toml"));
	if (strcmp(want, plain) == 0)
		fail_msg("%s changes nothing", word);
	setenv(name, samples[i].value ? samples[i].value : "true", 1);
	assert_string_equal(parse(NULL, "test_opt_sources.toml"), want);
	unsetenv(name);
	if (row->env && strcmp(row->env, "HERMIT_CONFIG") != 0) {
		setenv(row->env, samples[i].value, 1);
		assert_string_equal(parse(NULL, "test_opt_sources.toml"), want);
		unsetenv(row->env);
	}
	write_file("gyve", key, i);
	assert_string_equal(parse(NULL, "test_opt_sources.toml"), want);
	if (!row->toml)
		return;
	snprintf(table, sizeof(table), "%.*s", (int)strcspn(row->toml, "."), row->toml);
	write_file(table, strchr(row->toml, '.') + 1, i);
	assert_string_equal(parse(NULL, "test_opt_sources.toml"), want);
}

static void test_each_source(void **state)
{
	char plain[1000];

	(void)state;
	write_file(NULL, NULL, 0);
	snprintf(plain, sizeof(plain), "%s", parse(NULL, "test_opt_sources.toml"));
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(samples); i++)
		one_option(i, plain);
	unlink("test_opt_sources.toml");
}

/* A false in the file leaves it off; on the command line it stays on. */
static void test_false(void **state)
{
	char plain[1000];

	(void)state;
	write_file(NULL, NULL, 0);
	snprintf(plain, sizeof(plain), "%s", parse(NULL, "test_opt_sources.toml"));
	FILE *f = fopen("test_opt_sources.toml", "w");
	assert_non_null(f);
	fputs("[uhyve]\nstats = false\n[memory]\nno_aslr = false\nthp = false\nksm = false\n[cpu]\ncpu_pm = false\npit = "
	      "false\n",
	      f);
	assert_int_equal(fclose(f), 0);
	assert_string_equal(parse(NULL, "test_opt_sources.toml"), plain);
	assert_non_null(strstr(parse("--thp", "test_opt_sources.toml"), "thp 1"));
	unlink("test_opt_sources.toml");
}

/* uhyve's rule: the first of these that there is. */
static void test_where_the_file_is(void **state)
{
	static const char *const places[] = {"x.d/uhyve/uhyve.toml", "x.d/gyve/gyve.toml", "uhyve.toml", "gyve.toml"};
	struct gyve_opts o;
	struct gyve_err e = {0};
	const char *argv[] = {"run", "img", NULL};

	(void)state;
	assert_int_equal(system("mkdir -p test_opt_dir/x.d/uhyve test_opt_dir/x.d/gyve"), 0);
	assert_int_equal(chdir("test_opt_dir"), 0);
	setenv("XDG_CONFIG_HOME", "x.d", 1);
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(places); i++) {
		FILE *f = fopen(places[i], "w");
		assert_non_null(f);
		fprintf(f, "[cpu]\ncpu_count = %zu\n", i + 2);
		assert_int_equal(fclose(f), 0);
		assert_int_equal(gyve_opts_parse(&o, 2, (char **)argv, &e), 0);
		assert_int_equal(o.ncpus, i + 2);
		gyve_opts_deinit(&o);
	}
	unsetenv("XDG_CONFIG_HOME");
	assert_int_equal(chdir(".."), 0);
	assert_int_equal(system("rm -r test_opt_dir"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_source),
		cmocka_unit_test(test_false),
		cmocka_unit_test(test_where_the_file_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
