-- SPDX-License-Identifier: MIT
-- guardian 0003_remove_groupobjectpermission_guardian_gr_content_ae6aec_idx_and_more: other indexes on the old grants.
drop index guardian_gr_content_ae6aec_idx;
drop index guardian_us_content_179ed2_idx;
create index guardian_gr_permiss_83545c_idx
    on guardian_groupobjectpermission (permission_id, group_id, content_type_id, object_pk);
create index guardian_gr_group_i_9e7d12_idx on guardian_groupobjectpermission (group_id, content_type_id, object_pk);
create index guardian_us_permiss_e5749c_idx
    on guardian_userobjectpermission (permission_id, user_id, content_type_id, object_pk);
create index guardian_us_user_id_8eae14_idx on guardian_userobjectpermission (user_id, content_type_id, object_pk);
