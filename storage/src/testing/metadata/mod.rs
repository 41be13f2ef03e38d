//! The contract of metadata, clause by clause, as [`Registry`] and units of work show it.
//!
//! `make` opens the registry whose database belongs to a folder; opened again, it stands for the
//! next process.
#![expect(missing_docs, reason = "a clause's name is its sentence")]

pub mod audit;
pub mod blobs;
pub mod collection;
pub mod listings;
pub mod manifests;
pub mod policies;
pub mod records;
pub mod retention;
pub mod settings;
pub mod units;
pub mod uploads;

use std::path::PathBuf;
use std::sync::Arc;

use berth_oci::{Reference, RepositoryName};
use parking_lot::Mutex;
use tempfile::TempDir;

use super::{TestClock, options};
use crate::{Actor, By, Change, Error, LocalBlobStore, Registry, RegistryOptions};

/// Opens the registry of a folder, on one engine.
pub trait Make: AsyncFn(PathBuf, RegistryOptions) -> Result<Registry<LocalBlobStore>, Error> {}

impl<M: AsyncFn(PathBuf, RegistryOptions) -> Result<Registry<LocalBlobStore>, Error>> Make for M {}

/// A registry with what a test turns and watches.
struct House {
    registry: Registry<LocalBlobStore>,
    clock: TestClock,
    changes: Arc<Mutex<Vec<Change>>>,
    folder: TempDir,
}

impl House {
    async fn open(make: &impl Make) -> Self {
        Self::with(make, |_| {}).await
    }

    async fn with(make: &impl Make, adjust: impl FnOnce(&mut RegistryOptions)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Self::of(make, folder, TestClock::new(), adjust).await.expect("a new registry opens")
    }

    /// The next process on the same folder.
    async fn reopened(self, make: &impl Make) -> Self {
        self.try_reopened(make).await.expect("the registry opens again")
    }

    async fn try_reopened(self, make: &impl Make) -> Result<Self, Error> {
        let Self { registry, clock, folder, .. } = self;
        drop(registry);
        Self::of(make, folder, clock, |_| {}).await
    }

    async fn of(
        make: &impl Make,
        folder: TempDir,
        clock: TestClock,
        adjust: impl FnOnce(&mut RegistryOptions),
    ) -> Result<Self, Error> {
        let changes = Arc::new(Mutex::new(Vec::new()));
        let mut options = options(&clock);
        let told = Arc::clone(&changes);
        options.observer = Arc::new(move |changes| told.lock().extend_from_slice(changes));
        adjust(&mut options);
        let registry = make(folder.path().to_owned(), options).await?;
        Ok(Self { registry, clock, changes, folder })
    }

    /// What was told since this was asked last.
    fn told(&self) -> Vec<Change> {
        std::mem::take(&mut *self.changes.lock())
    }

    /// Somebody, now.
    fn by(&self) -> By {
        By { actor: Actor::default(), at: self.clock.now() }
    }

    /// One number that a statement finds.
    async fn number(&self, sql: &'static str) -> i64 {
        let rows = super::rows(&self.registry, sql, vec![]).await.expect("the statement is SQL");
        rows[0].int(0).expect("the statement finds a number")
    }
}

fn name(text: &str) -> RepositoryName {
    text.parse().expect("the test's name is a name")
}

fn reference(text: &str) -> Reference {
    text.parse().expect("the test's reference is a reference")
}

/// Stamps the contract of metadata on `make`, an
/// `async fn(PathBuf, RegistryOptions) -> Result<Registry<LocalBlobStore>, Error>`.
#[macro_export]
macro_rules! metadata_suite {
    ($make:path) => {
        $crate::stamp_clauses! { $make, metadata::units:
            what_a_unit_did_is_seen_once_it_answered
            what_is_committed_is_there_after_opening_again
            a_refused_unit_leaves_nothing
            a_refused_unit_does_not_harm_others_of_its_group
            a_panicking_unit_is_a_fault_and_leaves_nothing
            a_panicking_unit_does_not_harm_others_of_its_group
            a_refused_statement_is_a_fault_and_leaves_nothing
            readers_see_nothing_of_a_unit_before_it_is_committed
            changes_are_told_once_and_not_before_the_commit
            changes_of_a_refused_unit_are_not_told
            arguments_are_bound_by_their_names
            a_database_of_a_newer_version_is_refused
        }
        $crate::stamp_clauses! { $make, metadata::uploads:
            an_upload_begins_with_nothing
            an_upload_is_known_to_its_own_repository_alone
            an_upload_to_a_repository_that_may_not_be_made_is_refused
            an_upload_makes_no_repository_before_it_is_finished
            a_session_goes_on_where_it_was_left
            an_upload_goes_on_after_opening_again_with_the_same_digest
            a_second_writer_is_refused_while_the_first_writes
            a_session_is_not_cancelled_while_someone_writes
            a_claim_that_ran_out_lets_the_next_writer_in
            a_writer_that_lost_its_claim_writes_nothing_more
            a_writer_whose_claim_ran_out_goes_on_when_nobody_took_it
            a_body_that_broke_off_keeps_what_had_come
            a_chunk_out_of_order_is_refused_and_the_offset_kept
            a_chunk_longer_than_announced_changes_nothing
            a_chunk_shorter_than_announced_changes_nothing
            a_wrong_digest_is_refused_and_the_session_kept
            a_finished_upload_is_a_blob_and_no_session
            sha512_may_be_named_by_the_last_request
            a_cancelled_upload_is_unknown_and_its_bytes_condemned
            an_upload_expires_so_long_after_its_last_byte
            an_expired_upload_is_unknown_and_its_bytes_condemned
            an_upload_that_is_written_to_does_not_expire
        }
        $crate::stamp_clauses! { $make, metadata::blobs:
            a_blob_is_shown_by_its_own_repository_alone
            the_same_bytes_pushed_twice_are_kept_once
            a_mounted_blob_is_shown_by_both
            mounting_twice_does_no_harm
            what_the_source_does_not_show_is_not_mounted_and_makes_no_repository
            a_mount_to_a_repository_that_may_not_be_made_is_refused
            holders_are_listed_in_order_page_by_page
            a_deleted_blob_is_gone_from_its_repository_alone
            deleting_a_blob_that_is_not_there_says_so
            a_blob_that_a_manifest_names_is_not_deleted
            a_blob_that_only_deleted_manifests_name_is_deleted
            a_damaged_blob_is_neither_shown_nor_mounted
            the_next_push_brings_a_damaged_blob_back
        }
        $crate::stamp_clauses! { $make, metadata::manifests:
            a_manifest_is_found_by_its_digest_and_its_tags_as_it_was_pushed
            a_manifest_is_found_in_its_own_repository_alone
            a_manifest_that_names_a_missing_blob_is_refused_and_leaves_nothing
            an_index_that_names_a_missing_child_is_refused_and_leaves_nothing
            a_manifest_for_a_repository_that_may_not_be_made_is_refused
            a_sparse_manifest_may_name_what_is_not_here
            a_blob_that_comes_later_is_held_by_the_manifests_that_waited
            a_child_that_comes_later_is_held_by_the_indexes_that_waited
            a_child_may_be_a_blob
            a_deleted_child_is_missing
            a_subject_that_is_here_is_linked
            a_subject_that_comes_later_is_linked
            a_foreign_layer_may_be_absent
            a_layer_that_is_named_twice_is_one_edge
            pushing_the_same_again_changes_only_when_it_was_pushed
            a_manifest_pushed_again_as_another_type_is_so_under_every_tag
            a_moved_tag_names_the_new_manifest_and_leaves_the_old
            every_move_of_a_tag_is_written_down
            a_manifest_is_untagged_since_its_last_tag_went
            a_deleted_tag_leaves_its_manifest
            a_deleted_manifest_is_gone_at_once_with_every_tag_on_it
            a_deleted_manifest_leaves_its_row_and_its_edges
            a_deleted_manifest_comes_back_when_it_is_pushed_again
            deleting_what_is_not_there_says_so
        }
        $crate::stamp_clauses! { $make, metadata::retention:
            rules_are_kept_by_scope_and_go_with_their_repository
            images_are_listed_from_the_last_push_on_without_children_and_referrers
            an_expired_tag_leaves_its_siblings
            an_image_whose_last_tag_expired_goes_and_can_come_back
            an_image_that_was_pushed_again_does_not_expire
            a_child_of_an_index_outlives_its_own_tag
            a_repository_may_keep_untagged_images_as_long_as_it_likes
            pulls_are_written_down_together
        }
        $crate::stamp_clauses! { $make, metadata::collection:
            a_blob_that_nothing_names_goes_a_day_after_its_push
            the_bytes_of_a_collected_blob_stay_for_those_who_are_reading_them
            a_blob_that_a_client_counts_on_is_kept_a_day_more
            asking_early_writes_nothing
            what_a_tag_leads_to_stays_for_ever
            a_deleted_image_goes_after_a_day_with_all_that_only_it_needs
            a_blob_of_two_repositories_loses_its_bytes_with_the_second
            an_untagged_image_goes_after_thirty_days_and_its_blobs_a_day_later
            a_moved_tag_leaves_an_untagged_image_for_thirty_days
            an_untagged_image_that_is_asked_for_or_pushed_again_stays_longer
            an_image_that_was_tagged_again_in_time_stays
            untagged_images_stay_for_ever_where_that_is_said
            the_children_of_a_deleted_index_go_with_it_unless_something_else_holds_them
            a_child_that_is_asked_for_outlives_its_index_by_a_day
            referrers_go_with_their_subject_unless_they_have_a_tag
            a_referrer_whose_subject_never_came_is_an_untagged_manifest
            a_mounted_blob_has_a_day_of_its_own
            a_blob_that_was_deleted_loses_its_bytes_when_no_repository_holds_it
            a_removed_repository_goes_after_a_day_and_a_new_one_of_its_name_stays
            an_image_that_was_deleted_and_pushed_again_stays_whole
            what_is_not_due_is_not_looked_at
            what_is_forecast_is_what_goes
            what_repositories_hold_is_told_alone_and_together
            a_deleted_manifest_comes_back_with_the_tags_that_went_with_it
            a_deleted_tag_comes_back_to_what_it_named_last
            what_is_collected_comes_back_no_more
            a_removed_repository_comes_back_whole_or_not_at_all
            the_history_of_a_tag_says_what_it_named_and_since_when
        }
        $crate::stamp_clauses! { $make, metadata::listings:
            tags_are_listed_in_ascii_order
            tags_are_listed_page_by_page_after_any_word
            tags_of_an_unknown_repository_are_an_error
            tags_of_a_repository_without_any_are_none
            repositories_are_listed_in_order_page_by_page
            referrers_are_listed_with_what_they_say_of_themselves
            referrers_are_those_of_the_subject_in_the_repository
            referrers_are_filtered_by_artifact_type
            referrers_are_listed_page_by_page
            a_deleted_referrer_is_listed_no_more
            a_subject_need_not_be_here
            referrers_under_the_fallback_tag_are_listed_once
        }
        $crate::stamp_clauses! { $make, metadata::records:
            an_identity_is_found_by_id_and_by_name
            a_name_that_is_taken_is_refused_and_changes_nothing
            an_identity_for_a_missing_group_or_policy_is_not_made
            identities_are_listed_in_order_of_name
            a_changed_password_ends_what_was_issued_before
            a_removed_identity_takes_all_that_hangs_on_it
            attaching_twice_changes_nothing
            what_was_not_attached_is_not_detached
            what_is_missing_is_said_to_be_missing
            every_change_of_who_may_do_what_is_told
            a_refresh_token_ends
            refresh_tokens_that_ended_are_forgotten
            an_access_key_is_kept_until_it_or_its_identity_is_removed
            access_keys_are_listed_page_by_page_without_a_gap
            a_removed_access_key_takes_its_refresh_tokens
            the_last_use_of_an_access_key_only_moves_on_and_is_no_change_to_the_directory
            signing_keys_are_listed_newest_first
            a_rotated_signing_key_retires_the_one_before_until_it_is_removed
            a_fact_is_noted_once_and_kept
        }
        $crate::stamp_clauses! { $make, metadata::audit:
            a_push_is_written_down_with_who_did_it_and_whence
            a_moved_tag_is_written_down_with_what_it_named_before
            what_is_deleted_is_written_down_with_its_tags
            a_mounted_blob_is_written_down_with_its_source
            every_change_of_who_may_do_what_is_written_down
            every_change_of_a_repository_is_written_down
            what_changed_nothing_is_not_written_down
            a_unit_that_failed_leaves_no_record
            refusals_are_written_down_as_such
            the_audit_is_read_page_by_page_in_the_order_of_writing
            the_audit_is_read_since_a_moment_whatever_order_it_was_written_in
            records_that_are_too_old_are_trimmed
            records_that_are_too_many_are_trimmed_the_oldest_first
            the_newest_record_stays_so_that_no_id_is_given_twice
        }
        $crate::stamp_clauses! { $make, metadata::policies:
            a_policy_is_kept_as_it_was_given_until_it_is_replaced
            policies_are_listed_in_order_of_name
            a_policy_that_somebody_has_is_not_removed_and_who_has_it_is_said
            a_policy_that_nobody_has_any_more_is_removed
            only_a_document_that_is_kept_is_attached
            an_identity_comes_with_the_documents_of_its_own_and_of_its_groups_each_once
            groups_are_listed_in_order_with_who_is_in_them_and_what_these_may
            a_groups_name_that_is_taken_is_refused
            joining_and_attaching_twice_changes_nothing
            who_left_a_group_is_in_it_no_more
            a_removed_group_takes_its_memberships_and_what_was_attached
            a_removed_identity_is_in_no_group
            what_is_missing_of_a_group_is_said_to_be_missing
            every_change_of_what_a_policy_or_a_group_allows_is_told
        }
        $crate::stamp_clauses! { $make, metadata::settings:
            a_repository_is_made_with_its_settings
            a_repository_that_is_there_is_not_made_again
            a_repository_that_was_pushed_to_has_settings_as_one_made_without_any
            repositories_are_shown_in_order_of_name_with_their_images_counted
            an_unknown_repository_has_no_settings_and_no_policy
            an_immutable_tag_names_what_it_named_first
            a_push_to_an_immutable_tag_leaves_nothing_of_itself
            a_repository_with_images_is_removed_only_when_they_go_too
            a_removed_repository_shows_nothing_at_once
            a_new_repository_of_a_removed_ones_name_begins_with_nothing
            a_repositorys_policy_is_kept_as_it_was_given_until_it_is_removed
            a_repositorys_policy_is_swapped_only_for_the_one_that_it_must_be
            every_change_of_a_repository_is_told
        }
    };
}
