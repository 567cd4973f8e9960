-- SPDX-License-Identifier: MIT
-- authentik_core 0055_groupancestor_groupparentagenode_group_parents: parents as rows beside parent_id, and their closure.
create table authentik_core_groupparentage (
    uuid uuid primary key,
    child_id uuid not null,
    parent_id uuid not null,
    constraint authentik_core_group_child_id_7c669a70_fk_authentik
        foreign key (child_id) references authentik_core_group (group_uuid) deferrable initially deferred,
    constraint authentik_core_group_parent_id_5b993bd1_fk_authentik
        foreign key (parent_id) references authentik_core_group (group_uuid) deferrable initially deferred);
create index authentik_core_groupparentage_child_id_7c669a70 on authentik_core_groupparentage (child_id);
create index authentik_core_groupparentage_parent_id_5b993bd1 on authentik_core_groupparentage (parent_id);

insert into authentik_core_groupparentage (uuid, child_id, parent_id)
select gen_random_uuid(), g.group_uuid, g.parent_id from authentik_core_group g where g.parent_id is not null;

create materialized view authentik_core_groupancestry as
with recursive accumulator as (
     select child_id::text || '-' || parent_id::text as id, child_id as descendant_id, parent_id as ancestor_id
       from authentik_core_groupparentage
      union
     select accumulator.descendant_id::text || '-' || current.parent_id::text as id, accumulator.descendant_id,
            current.parent_id as ancestor_id
       from accumulator
       join authentik_core_groupparentage current on accumulator.ancestor_id = current.child_id)
select * from accumulator;
create index authentik_c_descend_f83a71_idx on authentik_core_groupancestry (descendant_id);
create index authentik_c_ancesto_974845_idx on authentik_core_groupancestry (ancestor_id);
create unique index authentik_c_id_5d0bb4_idx on authentik_core_groupancestry (id);

create function pgtrigger_refresh_groupancestry_62450() returns trigger language plpgsql as $$
begin
    refresh materialized view concurrently authentik_core_groupancestry;
    return null;
end
$$;
create trigger pgtrigger_refresh_groupancestry_62450 after insert or delete or update on authentik_core_groupparentage
   for each row execute function pgtrigger_refresh_groupancestry_62450();
