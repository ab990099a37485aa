/* gyve: command table and exit status. */
#include <stdio.h>

int main(void)
{
	puts("gyve");
	return 0;
}
