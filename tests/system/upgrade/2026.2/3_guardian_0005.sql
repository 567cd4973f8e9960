-- SPDX-License-Identifier: MIT
-- guardian 0005_delete_userobjectpermission_and_groupobjectpermission: the old grants go.
drop table guardian_groupobjectpermission;
drop table guardian_userobjectpermission;
