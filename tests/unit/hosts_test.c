/* SPDX-License-Identifier: MIT */
/* Lists of servers are read as libpq reads them, and tried in the order that experience says. */
#include "postgres/hosts.h"

#include <criterion/criterion.h>

static struct hosts hosts;

Test(hosts, a_list_gives_each_server_its_port)
{
	cr_assert(hosts_read(&hosts, "a,b", NULL, "1,2"));
	cr_assert_eq(hosts.count, 2);
	cr_assert_str_eq(hosts.list[1].name, "b");
	cr_assert_str_eq(hosts.list[1].port, "2");
	cr_assert_str_empty(hosts.list[1].address);
}

Test(hosts, one_port_is_that_of_all)
{
	cr_assert(hosts_read(&hosts, "a,b", NULL, "5433"));
	cr_assert_str_eq(hosts.list[0].port, "5433");
	cr_assert_str_eq(hosts.list[1].port, "5433");
}

Test(hosts, an_address_belongs_to_its_name)
{
	cr_assert(hosts_read(&hosts, "a,b", "10.0.0.1,10.0.0.2", NULL));
	cr_assert_str_eq(hosts.list[1].name, "b");
	cr_assert_str_eq(hosts.list[1].address, "10.0.0.2");
	cr_assert(hosts_read(&hosts, NULL, "10.0.0.1,10.0.0.2", "7"));
	cr_assert_eq(hosts.count, 2);
	cr_assert_str_empty(hosts.list[0].name);
}

Test(hosts, nothing_given_is_one_server_that_libpq_knows)
{
	cr_assert(hosts_read(&hosts, NULL, NULL, "5432"));
	cr_assert_eq(hosts.count, 1);
	cr_assert_str_empty(hosts.list[0].name);
}

Test(hosts, what_we_do_not_read_is_left_to_libpq)
{
	char longest[400];

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	cr_assert_not(hosts_read(&hosts, "a,,b", NULL, NULL));
	cr_assert_not(hosts_read(&hosts, "a,b", "10.0.0.1", NULL));
	cr_assert_not(hosts_read(&hosts, "a,b", NULL, "1,2,3"));
	cr_assert_not(hosts_read(&hosts, longest, NULL, NULL));
	cr_assert_not(hosts_read(&hosts, "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", NULL, NULL));
}

static const char *order_after(const struct hosts_memory *memory, long now)
{
	static char names[8];

	cr_assert(hosts_read(&hosts, "a,b,c", NULL, NULL));
	hosts_order(&hosts, memory, now);
	for (unsigned i = 0; i < hosts.count; i++)
		names[i] = *hosts.list[i].name;
	return names;
}

Test(hosts, the_good_one_comes_first_and_the_bad_ones_last_for_their_time)
{
	struct hosts_memory memory = {0};
	const struct host a = {.name = "a"}, b = {.name = "b"};

	cr_assert_str_eq(order_after(&memory, 0), "abc");
	hosts_note_bad(&memory, &a, 100);
	cr_assert_str_eq(order_after(&memory, 50), "bca");
	cr_assert(hosts_has_better(&hosts, 0, &memory, 50));
	cr_assert_not(hosts_has_better(&hosts, 1, &memory, 50));
	hosts_note_good(&memory, &b);
	cr_assert_str_eq(order_after(&memory, 100), "bac");
	hosts_note_bad(&memory, &b, 200);
	cr_assert_str_eq(order_after(&memory, 150), "acb");
	hosts_note_good(&memory, &b);
	cr_assert_str_eq(order_after(&memory, 150), "bac");
}

Test(hosts, more_bad_ones_than_there_is_room_for_push_the_oldest_out)
{
	struct hosts_memory memory = {0};

	for (char name = 'a'; name < 'a' + HOSTS_BAD_MAX + 1; name++) {
		const struct host host = {.name = {name}};

		hosts_note_bad(&memory, &host, 100 + name);
	}
	cr_assert_str_eq(order_after(&memory, 50), "abc");
}

Test(hosts, a_rotation_keeps_the_ring)
{
	cr_assert(hosts_read(&hosts, "a,b,c", NULL, NULL));
	hosts_rotate(&hosts, 4);
	cr_assert_str_eq(hosts.list[0].name, "b");
	cr_assert_str_eq(hosts.list[2].name, "a");
}

Test(hosts, a_path_and_a_number_are_not_looked_up)
{
	cr_assert(hosts_read(&hosts, "/tmp,127.0.0.1", NULL, NULL));
	hosts_resolve(&hosts);
	cr_assert_eq(hosts.count, 2);
	cr_assert_str_empty(hosts.list[0].address);
}
