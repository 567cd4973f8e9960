-- SPDX-License-Identifier: MIT
-- Names, a row each, the tables, columns and privileges that the other statements need and the database lacks in the
-- schema that comes first in the search path. No row: all are there.
with needed (relation, columns) as (values
       ('authentik_policies_event_matcher_eventmatcherpolicy', '{policy_ptr_id,action,client_ip,app,model}'::text[]),
       ('authentik_policies_policy', '{policy_uuid,name,execution_logging}'),
       ('authentik_policies_policybinding', '{policy_id}'),
       ('authentik_stages_prompt_promptstage_validation_policies', '{policy_id}'),
       ('authentik_core_token', '{token_uuid,key,intent,expiring,expires,user_id}'),
       ('authentik_providers_oauth2_accesstoken', '{id,token,_scope,expiring,expires,user_id}'),
       ('authentik_core_user', '{id,is_active,type}'),
       ('authentik_core_group', '{group_uuid,parent_id,is_superuser}'),
       ('authentik_core_user_ak_groups', '{user_id,group_id}'),
       ('authentik_core_user_groups', '{user_id,group_id}'),
       ('authentik_core_user_user_permissions', '{user_id,permission_id}'),
       ('auth_group_permissions', '{group_id,permission_id}'),
       ('auth_permission', '{id,content_type_id,codename}'),
       ('django_content_type', '{id,app_label,model}'),
       ('guardian_userobjectpermission', '{user_id,permission_id,object_pk}'),
       ('guardian_groupobjectpermission', '{group_id,permission_id,object_pk}')),
     place as (
       select n.oid from pg_catalog.pg_namespace n where n.nspname = current_schema()),
     found as (
       select needed.relation, needed.columns, c.oid
         from needed
         left join pg_catalog.pg_class c
           on c.relname = needed.relation
          and c.relnamespace = (select oid from place)
          and c.relkind in ('r', 'p', 'v', 'm', 'f'))
select 'the schema, or the privilege to use it, is missing' as missing
 where not exists (select from place)
 union all
select format('the table %s is missing', relation)
  from found
 where oid is null and exists (select from place)
 union all
select case when a.attname is null then format('the column %s.%s is missing', relation, wanted)
            else format('the privilege to select the column %s.%s is missing', relation, wanted) end
  from found
 cross join lateral unnest(columns) as wanted
  left join pg_catalog.pg_attribute a on a.attrelid = oid and a.attname = wanted and a.attnum > 0 and not a.attisdropped
 where oid is not null
   and (a.attname is null or not has_column_privilege(oid, a.attnum, 'select'));
