/*
 * Writes events as fast as it can, so many as each line of its input says, and answers each line with two numbers:
 * nanoseconds an event, and how often the thread was taken off its core meanwhile. It ends with its input.
 */
#define _GNU_SOURCE
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE

#include <stdio.h>
#include <time.h>
#include <sys/resource.h>
#include "references.h"

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static long preemptions(void)
{
	struct rusage usage;
	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nivcsw;
}

int main(void)
{
	long events;

	/* Not an event that is off: a program that nobody listens to would measure nothing. */
	if (!lttng_ust_tracepoint_enabled(quire_bench, taken)) {
		fprintf(stderr, "the session does not record quire_bench:taken\n");
		return 1;
	}

	puts("ready");
	fflush(stdout);
	while (scanf("%ld", &events) == 1) {
		long before = preemptions();
		double start = now();
		for (long i = 0; i < events; i++)
			lttng_ust_tracepoint(quire_bench, taken, 0x7f0000001000u, (uint32_t)i, 1, 141u);
		double time = now() - start;
		printf("%.4f %ld\n", time / (double)events, preemptions() - before);
		fflush(stdout);
	}

	return 0;
}
