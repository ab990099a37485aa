/* Private to src/cli: what every command over a dump needs: options they share, the dump as a target with symbols, addresses as
 * people write them, output through a pager. */
#ifndef GYVE_DUMP_OPEN_H
#define GYVE_DUMP_OPEN_H
#include "gyve/target.h"

#include <stdio.h>

struct gyve_dump_opts {
	bool json, writable, help;
	enum { GYVE_COLOR_AUTO, GYVE_COLOR_ALWAYS, GYVE_COLOR_NEVER } color;
	const char *symbols;   /**< NULL: look for them */
	const char *debug_dir; /**< NULL: /usr/lib/debug */
	uint64_t bias;
	bool bias_given;
	unsigned cpu;
	bool cpu_given;
	struct gyve_core_open open;
	const char *regs[64]; /**< NAME=VALUE, NULL-terminated */
	unsigned nregs;
};

/** An ELF file, mapped. */
struct gyve_elf_file {
	const uint8_t *data; /**< NULL: there is none */
	size_t size;
	char *path;
	uint8_t id[GYVE_BUILD_ID_MAX];
	unsigned id_len; /**< 0: it has no build id */
};

struct gyve_dump {
	struct gyve_core *core;
	struct gyve_target target;
	struct gyve_symtab *syms;
	struct gyve_elf_file image, debug; /**< the program; its debug information, if that is another file */
	uint64_t bias;                     /**< of the symbols */
	unsigned cpu;                      /**< whose view: --cpu, or the one that stopped */
};

/** The options' text for --help. */
extern const char gyve_dump_options_help[];
/** Take the shared options out of argv; what is left is the command's. 0, or -EINVAL after having said why. */
int gyve_dump_options(struct gyve_dump_opts *o, int *argc, char **argv);
/** Open with symbols; what is damaged is said on standard error. 0, or an exit status after having said why. */
int gyve_dump_open(struct gyve_dump *d, const char *path, const struct gyve_dump_opts *o);
void gyve_dump_close(struct gyve_dump *d);
/** A number, a symbol, $register, or one of them +NUMBER. 0, or -EINVAL with a sentence. */
int gyve_dump_address(struct gyve_dump *d, const char *text, uint64_t *ret, struct gyve_err *err);
/** "name+0x12 (file.c:34)" or "". */
const char *gyve_dump_where(struct gyve_dump *d, uint64_t gva, char *buf, size_t size);

/** Standard output through $PAGER when it is a terminal, as git does; and in colour, as o, NO_COLOR and TERM say. */
void gyve_pager_begin(const struct gyve_dump_opts *o);
/** What is printed from here on; "" when there is no colour. */
enum gyve_paint { GYVE_PAINT_OFF, GYVE_PAINT_ADDRESS, GYVE_PAINT_NAME, GYVE_PAINT_PLACE, GYVE_PAINT_BAD, GYVE_PAINT_GOOD };
const char *gyve_paint(enum gyve_paint what);
/** Print a line of a stack. */
void gyve_print_frame(const char *line, size_t len);
/** Wait for it. */
void gyve_pager_end(void);
/** s as a JSON string, quotes included. */
void gyve_json_string(const char *s);
/** One line on standard error: "gyve: ...". Returns status. */
int gyve_say_err(const struct gyve_err *err, int status);
#endif
