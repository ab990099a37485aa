/* cmocka with the headers it forgets. */
#ifndef UNIT_H
#define UNIT_H
/* clang-format off */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
/* clang-format on */
#endif
