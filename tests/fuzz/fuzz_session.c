/* Whole sessions: see tests/support/session_play.h. */
#include "session_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	session_play(data, size < 400 ? size : 400);
	return 0;
}
