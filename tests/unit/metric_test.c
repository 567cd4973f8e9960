/* SPDX-License-Identifier: MIT */
/* What was counted stands in the text, summed over all processes. */
#include "base/metric.h"

#include <criterion/criterion.h>

static struct metric_counts one, two;
static const struct metric_counts *const both[] = {&one, &two};
static struct buffer text;

static struct metric_hosts hosts;

static void start(void)
{
	metric_here = &one;
	metric_hosts = &hosts;
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
		metric_observe_time(METRIC_DURATION, durations[i]);
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

static int64_t counted(enum metric metric)
{
	return metric_read(&one, metric);
}

Test(metric, each_bound_of_a_duration_is_in_its_bucket_and_what_is_above_in_the_next)
{
	static const uint64_t bounds[] = {100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000,
	    100000, 250000, 500000, 1000000, 2000000};
	const unsigned count = sizeof(bounds) / sizeof(bounds[0]);

	cr_assert_eq(METRIC_DURATION + count, METRIC_DURATION_ALL);
	for (unsigned i = 0; i < count; i++) {
		metric_observe_time(METRIC_DURATION, bounds[i]);
		cr_assert_eq(counted(METRIC_DURATION + i), i ? 2 : 1);
		metric_observe_time(METRIC_DURATION, bounds[i] + 1);
		cr_assert_eq(counted(METRIC_DURATION + i + 1), 1);
	}
	metric_observe_time(METRIC_DURATION, UINT64_MAX);
	cr_assert_eq(counted(METRIC_DURATION_ALL), 2);
}

Test(metric, each_size_is_in_the_bucket_of_the_next_power_of_two)
{
	for (unsigned size = 0; size <= 65; size++)
		metric_observe_size(METRIC_BATCH, size);
	expect("event_matcher_batch_questions_bucket{le=\"1\"} 2\n");
	expect("event_matcher_batch_questions_bucket{le=\"2\"} 3\n");
	expect("event_matcher_batch_questions_bucket{le=\"32\"} 33\n");
	expect("event_matcher_batch_questions_bucket{le=\"64\"} 65\n");
	expect("event_matcher_batch_questions_bucket{le=\"+Inf\"} 66\n");
	expect("event_matcher_batch_questions_sum 2145\n");
	expect("event_matcher_batch_questions_count 66\n");
}

Test(metric, what_is_about_a_server_names_it_in_the_letters_that_a_label_may_have)
{
	metric_host_add("one:5432");
	metric_host_add("t\"w\\o");
	metric_host_add("one:5432");
	cr_assert_eq(hosts.count, 2);
	metric_add(METRIC_CONNECTS_GOOD + metric_host_find("t\"w\\o"), 3);
	expect("event_matcher_database_connects_total{host=\"one:5432\",result=\"good\"} 0\n");
	expect("event_matcher_database_connects_total{host=\"t\\\"w\\\\o\",result=\"good\"} 3\n");
	cr_assert_null(strstr(written(), "others"));
}

Test(metric, a_server_for_which_no_place_is_left_is_among_the_others)
{
	for (char name[] = "a"; *name <= 'a' + METRIC_HOSTS; (*name)++)
		metric_host_add(name);
	cr_assert_eq(hosts.count, METRIC_HOSTS);
	cr_assert_eq(metric_host_find("h"), METRIC_HOSTS - 1);
	cr_assert_eq(metric_host_find("i"), METRIC_HOSTS);
	metric_add(METRIC_READY_COMMON + metric_host_find("i"), 2);
	metric_add(METRIC_READY_COMMON, 1);
	cr_assert_eq(metric_read_hosts(&one, METRIC_READY_COMMON), 3);
	expect(
	    "event_matcher_database_sessions{host=\"others\",kind=\"common\",state=\"ready\"} 2\n");
}

Test(metric, a_name_that_is_too_long_is_found_all_the_same)
{
	char name[300];

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	metric_host_add(name);
	metric_host_add(name);
	cr_assert_eq(hosts.count, 1);
	cr_assert_eq(metric_host_find(name), 0);
}

Test(metric, a_flag_is_1_however_many_have_it)
{
	metric_add(METRIC_LAYOUT_TREE, 3);
	metric_here = &two;
	metric_add(METRIC_LAYOUT_TREE, 1);
	expect("event_matcher_database_layout{layout=\"tree\"} 1\n");
	expect("event_matcher_database_layout{layout=\"roles_ak_groups\"} 0\n");
}
