/* SPDX-License-Identifier: MIT */
/* What was counted stands in the text, summed over all processes. */
#include "base/metric.h"

#include <criterion/criterion.h>

static struct metric_counts one, two;
static const struct metric_counts *const both[] = {&one, &two};
static struct buffer text;

static void start(void)
{
	metric_here = &one;
}

static void forget(void)
{
	buffer_free(&text);
}

TestSuite(metric, .init = start, .fini = forget);

static const char *written(void)
{
	buffer_clear(&text);
	metric_write(&text, both, 2);
	buffer_append(&text, "", 1);
	cr_assert_not(text.failed);
	return (const char *)text.data;
}

static void expect(const char *line)
{
	cr_assert_not_null(strstr(written(), line), "%s not in %s", line, (const char *)text.data);
}

Test(metric, sums_what_every_process_has_counted)
{
	metric_add(METRIC_REQUESTS_200, 2);
	metric_here = &two;
	metric_add(METRIC_REQUESTS_200, 3);
	expect("event_matcher_requests_total{code=\"200\"} 5\n");
	expect("event_matcher_requests_total{code=\"404\"} 0\n");
}

Test(metric, a_gauge_goes_down_too)
{
	metric_add(METRIC_IN_FLIGHT, 3);
	metric_add(METRIC_IN_FLIGHT, (uint64_t)-1);
	expect("event_matcher_requests_in_flight 2\n");
}

Test(metric, the_buckets_of_a_histogram_add_up)
{
	static const uint64_t durations[] = {0, 100, 101, 2000000, 2000001};

	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++)
		metric_observe(METRIC_DURATION_100US, METRIC_DURATION_SUM, durations[i]);
	expect("event_matcher_request_duration_seconds_bucket{le=\"0.0001\"} 2\n");
	expect("event_matcher_request_duration_seconds_bucket{le=\"0.00025\"} 3\n");
	expect("event_matcher_request_duration_seconds_bucket{le=\"1\"} 3\n");
	expect("event_matcher_request_duration_seconds_bucket{le=\"2\"} 4\n");
	expect("event_matcher_request_duration_seconds_bucket{le=\"+Inf\"} 5\n");
	expect("event_matcher_request_duration_seconds_sum 4.000202\n");
	expect("event_matcher_request_duration_seconds_count 5\n");
}

Test(metric, every_family_has_its_head_once)
{
	const char *found = written();
	int heads = 0;

	while ((found = strstr(found, "# TYPE event_matcher_shed_total counter\n")))
		heads++, found++;
	cr_assert_eq(heads, 1);
	expect("# HELP event_matcher_shed_total What was answered 503 at once, by reason.\n");
}
