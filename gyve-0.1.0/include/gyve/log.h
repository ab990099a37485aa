/* Logging to stderr, per subsystem. A level that is off costs one comparison and formats nothing. Any thread may log. */
#ifndef GYVE_LOG_H
#define GYVE_LOG_H

enum gyve_log_level { GYVE_LOG_OFF, GYVE_LOG_ERROR, GYVE_LOG_WARN, GYVE_LOG_INFO, GYVE_LOG_DEBUG };
enum gyve_log_sub {
	GYVE_LOG_MAIN,
	GYVE_LOG_KVM,
	GYVE_LOG_RUN,
	GYVE_LOG_BP,
	GYVE_LOG_GDB,
	GYVE_LOG_HERMIT,
	GYVE_LOG_LOAD,
	GYVE_LOG_DEV,
	GYVE_LOG_SUBS
};

extern unsigned char gyve_log_levels[GYVE_LOG_SUBS];

/** "kvm"; sub is below GYVE_LOG_SUBS. */
const char *gyve_log_name(unsigned sub);
/** Set levels from "warn" or "gdb=debug,kvm=info". Returns 0, or -EINVAL for an unknown word (nothing changed). */
int gyve_log_configure(const char *spec);
/** Levels from what programs in Rust read in RUST_LOG: "debug", "uhyve=trace,other=off". What is not for us is passed over. */
void gyve_log_configure_rust(const char *spec);
void gyve_log_emit(enum gyve_log_level level, enum gyve_log_sub sub, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define gyve_log(level, sub, ...)                               \
	do {                                                    \
		if (gyve_log_levels[sub] >= (level))            \
			gyve_log_emit(level, sub, __VA_ARGS__); \
	} while (0)
#endif
