/* The tracepoint that is measured: one reference taken, with four numbers, as the EventSource of the same rows has them. */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER quire_bench

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "./references.h"

#if !defined(REFERENCES_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define REFERENCES_H

#include <stdint.h>
#include <lttng/tracepoint.h>

LTTNG_UST_TRACEPOINT_EVENT(
	quire_bench,
	taken,
	LTTNG_UST_TP_ARGS(uint64_t, page, uint32_t, ticket, int32_t, references, uint32_t, site),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer(uint64_t, page, page)
		lttng_ust_field_integer(uint32_t, ticket, ticket)
		lttng_ust_field_integer(int32_t, references, references)
		lttng_ust_field_integer(uint32_t, site, site)
	)
)

#endif

#include <lttng/tracepoint-event.h>
