/* The kernel of the demonstration: functions with locals, arguments and structs, a global that changes, some output. */
#include "guest.h"

struct point {
	int x, y;
};

struct ship {
	const char *name;
	struct point at;
	int fuel;
};

volatile uint64_t counter;   /* written once a round */
volatile uint64_t limit = 5; /* read once a round */
static struct ship ships[2] = {{"Argo", {1, 2}, 100}, {"Beagle", {-3, 4}, 50}};

static int distance(const struct point *a, const struct point *b)
{
	int dx = a->x > b->x ? a->x - b->x : b->x - a->x;
	int dy = a->y > b->y ? a->y - b->y : b->y - a->y;

	return dx + dy;
}

static int burn(struct ship *ship, int amount)
{
	int left = ship->fuel - amount;

	if (left < 0)
		left = 0;
	ship->fuel = left;
	return left;
}

static int sail(struct ship *ship, struct point goal)
{
	int way = distance(&ship->at, &goal);
	int left = burn(ship, way);

	ship->at = goal;
	return left;
}

static uint64_t count(void)
{
	uint64_t sum = 0;

	for (uint64_t i = 1; i <= limit; i++) {
		counter = counter + i;
		sum += i * i;
	}
	return sum;
}

static int factorial(int n)
{
	if (n <= 1)
		return 1;
	return n * factorial(n - 1);
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	struct point goal = {10, 20};
	uint64_t sum;
	int left, product;

	if (cpu != 0)
		halt();
	put_text("hello from a bare kernel\n");
	left = sail(&ships[0], goal);
	left += sail(&ships[1], ships[0].at);
	sum = count();
	product = factorial(5);
	put_text("vCPUs ");
	put_number(ncpus);
	put_text(", fuel ");
	put_number((uint64_t)left);
	put_text(", sum ");
	put_number(sum);
	put_text(", counter ");
	put_number(counter);
	put_text(", product ");
	put_number((uint64_t)product);
	put_text("\n");
	return left == 94 && sum == 55 && counter == 15 && product == 120 ? 0 : 1;
}
