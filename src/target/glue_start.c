/* The extended protocol's part of the glue: the guest is started again, with what it shall be given. */
#include "stub_glue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gyve_glue_free_args(struct gyve_glue *g)
{
	for (size_t i = 0; g->run_args && g->run_args[i]; i++)
		free(g->run_args[i]);
	free(g->run_args);
	g->run_args = NULL;
}

/* Does the client mean our image? Paths of its own machine mean nothing here, but the name should be the same. */
static bool is_our_image(const struct gyve_glue *g, const char *file)
{
	const char *ours = g->target->image ? g->target->image : "", *slash = strrchr(ours, '/');
	const char *theirs = strrchr(file, '/');

	return !file[0] || strcmp(theirs ? theirs + 1 : file, slash ? slash + 1 : ours) == 0;
}

static int take_args(struct gyve_glue *g, const char *const *argv, size_t n)
{
	gyve_glue_free_args(g);
	if (n && !(g->run_args = calloc(n + 1, sizeof(*g->run_args))))
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (!(g->run_args[i] = strdup(argv[i])))
			return -ENOMEM;
	return 0;
}

int gyve_glue_run(void *ctx, const char *file, const char *const *argv, size_t n, struct gdbstub_err *out)
{
	struct gyve_glue *g = ctx;
	const char *image = g->target->image ? g->target->image : "its image";

	if (!g->target->ops->reset) {
		snprintf(out->text, sizeof(out->text), "%s", g->target->ops->cannot_run);
		return -ENOTSUP;
	}
	if (!is_our_image(g, file)) {
		snprintf(out->text, sizeof(out->text), "this gyve runs %.150s; start another one for %.150s", image, file);
		return -ENOENT;
	}
	if (take_args(g, argv, n) < 0)
		return -ENOMEM;
	g->run_due = true;
	if (!gyve_target_stopped(g->target))
		gyve_target_interrupt(g->target);
	return 0;
}

bool gyve_glue_start(struct gyve_glue *g)
{
	struct gyve_target *t = g->target;
	struct gyve_err err = {0};
	int ret = 0;

	g->run_due = g->killed = false;
	if (g->run_args && t->ops->arguments)
		ret = t->ops->arguments(t->ctx, (const char *const *)g->run_args);
	gyve_glue_free_args(g);
	if (ret == 0)
		ret = gyve_target_reset(t, &err);
	if (ret < 0) {
		gdbstub_report_refusal(g->stub, ret, err.text[0] ? err.text : strerror(-ret));
		return false;
	}
	g->resumed = false;
	gyve_glue_report(g, &t->last);
	gyve_glue_report_others(g);
	return true;
}

int gyve_glue_environment(void *ctx, const char *text, struct gdbstub_err *out)
{
	struct gyve_glue *g = ctx;

	(void)out;
	return g->target->ops->environment ? g->target->ops->environment(g->target->ctx, text) : -ENOTSUP;
}

/* Its files are mapped from where gyve was started. */
int gyve_glue_directory(void *ctx, const char *path, struct gdbstub_err *out)
{
	(void)ctx;
	if (!path[0])
		return 0;
	snprintf(out->text, sizeof(out->text), "a guest has no directory of this host");
	return -ENOTSUP;
}
