/* monitor dump FILE [compress] [qemu] [virtual] */
#include "monitor.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int mon_dump(struct mon *m)
{
	static const char *const words[] = {"compress", "qemu", "virtual"};
	struct gyve_core_options opt = {0};
	bool *const flags[] = {&opt.compress, &opt.qemu, &opt.virt};
	struct gyve_core_result res;
	char path[1024], word[32];

	if (!mon_word(m, path, sizeof(path)))
		return gyve_err_set(m->err, -EINVAL, "a file name is missing: monitor dump FILE [compress] [qemu] [virtual]");
	while (mon_word(m, word, sizeof(word))) {
		size_t i = 0;
		while (i < GYVE_ARRAY_SIZE(words) && strcmp(words[i], word) != 0)
			i++;
		if (i == GYVE_ARRAY_SIZE(words))
			return gyve_err_set(m->err, -EINVAL, "'%s' is none of: compress, qemu, virtual", word);
		*flags[i] = true;
	}
	if (mon_end(m) < 0)
		return -EINVAL;
	int ret = gyve_target_dump(m->t, path, &opt, "request", &res, m->err);
	if (ret == 0)
		mon_say(m, "%s: %" PRIu64 " KiB of memory in %.2f s\n", path, res.stored >> 10, res.seconds);
	return ret;
}
