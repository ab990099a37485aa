#include "late.h"

#include <dlfcn.h>
#include <errno.h>

int gyve_late_open(void **handle, const char *soname, const char *const *names, size_t n, void **at, struct gyve_err *err)
{
	void *lib;

	if (*handle)
		return 0;
	lib = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
	if (!lib)
		return gyve_err_set(err, -ENOTSUP, "%s is needed for this: %s", soname, dlerror());
	for (size_t i = 0; i < n; i++) {
		at[i] = dlsym(lib, names[i]);
		if (!at[i]) {
			dlclose(lib);
			return gyve_err_set(err, -ENOTSUP, "%s has no %s", soname, names[i]);
		}
	}
	*handle = lib;
	return 0;
}
