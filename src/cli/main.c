/* gyve: command table. A first word that is no command is an option or an image of `run`. */
#include "config.h"

#include "cmd.h"
#include "dump_cmd.h"
#include "opts.h"

#include <stdio.h>
#include <string.h>

static int cmd_help(int argc, char **argv);

static const struct {
	const char *name, *args, *help;
	int (*fn)(int argc, char **argv);
	const struct gyve_dump_cmd *dump; /* instead of fn: a command over one dump */
} commands[] = {
	{"run", "[OPTION...] IMAGE [--] [ARG...]", "boot IMAGE (also: gyve IMAGE)", .fn = gyve_cmd_run},
	{"probe", "[--json]", "what this host can do for a debugger", .fn = gyve_cmd_probe},
	{"info", "DUMP", "what a dump holds", .dump = &gyve_dump_info},
	{"regs", "[-a] DUMP", "registers in a dump", .dump = &gyve_dump_regs},
	{"bt", "[-a] [-l] DUMP", "call stacks in a dump; -a: of all vCPUs, -l: with variables", .dump = &gyve_dump_bt},
	{"x", "[/FMT] DUMP ADDRESS...", "memory in a dump, in gdb's formats: x/8xg, x/3i, x/s", .dump = &gyve_dump_x},
	{"vtop", "DUMP ADDRESS...", "where an address lies, entry by entry", .dump = &gyve_dump_vtop},
	{"maps", "DUMP", "what a dump's page tables map", .dump = &gyve_dump_maps},
	{"search", "WHAT DUMP", "bytes, text or numbers in a dump", .fn = gyve_cmd_search},
	{"diff", "A B", "what differs between two dumps", .fn = gyve_cmd_diff},
	{"syms", "DUMP [NAME]", "symbols at their addresses", .dump = &gyve_dump_syms},
	{"verify", "DUMP", "is a dump whole, and who can read it", .dump = &gyve_dump_verify},
	{"serve", "DUMP [--gdb LISTEN]", "a dump for gdb to look at", .fn = gyve_cmd_serve},
	{"help", "", "this text", .fn = cmd_help},
	{"version", "", "the version", .fn = gyve_cmd_version},
};

static int cmd_help(int argc, char **argv)
{
	(void)argc, (void)argv;
	puts("gyve: run a unikernel or bare-metal ELF program under KVM and debug it with gdb\n");
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(commands); i++)
		printf("  gyve %-7s %-33s %s\n", commands[i].name, commands[i].args, commands[i].help);
	printf("\noptions of run:\n%s", gyve_opts_help());
	puts("\nexit status: the guest's; 124 the guest crashed; 125 gyve failed; 126 no usable KVM; 127 IMAGE cannot be "
	     "loaded;\n"
	     "2 a wrong command line");
	return 0;
}

int gyve_cmd_version(int argc, char **argv)
{
	(void)argc, (void)argv;
	puts(PACKAGE_STRING);
	return 0;
}

/* x/8xg is the command x */
static bool is_command(const char *word, const char *name)
{
	size_t n = strlen(name);

	return strncmp(word, name, n) == 0 && (!word[n] || (word[n] == '/' && n == 1));
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fputs("gyve: IMAGE is missing\ntry: gyve --help\n", stderr);
		return GYVE_STATUS_USAGE;
	}
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(commands); i++)
		if (is_command(argv[1], commands[i].name))
			return commands[i].dump ? gyve_dump_command(commands[i].dump, argc - 1, argv + 1)
						: commands[i].fn(argc - 1, argv + 1);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return cmd_help(argc, argv);
	return gyve_cmd_run(argc, argv);
}
