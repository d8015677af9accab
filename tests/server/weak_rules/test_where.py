"""Each of the 37 weak rules has a test in which the attack fails, and a line for operators."""

import ast
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

ROWS = range(1, 38)
ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "weak-rules.md"

AUTHENTICATION = "tests/server/weak_rules/test_authentication.py"
CERTIFICATES = "tests/server/weak_rules/test_certificates.py"
EVENTS = "tests/server/weak_rules/test_events.py"
SECRETS = "tests/server/weak_rules/test_secrets.py"
TOTP = "tests/server/weak_rules/test_totp.py"
UNKNOWN = "tests/server/weak_rules/test_unknown.py"

WHERE: Mapping[int, Sequence[str]] = {
    1: [
        f"{CERTIFICATES}::test_nobody_is_created_without_name",
        f"{CERTIFICATES}::test_no_organization_begins_without_names",
        f"{CERTIFICATES}::test_no_device_is_created_without_label",
    ],
    2: [
        f"{AUTHENTICATION}::test_who_cannot_sign_learns_no_state",
        f"{AUTHENTICATION}::test_a_device_that_does_not_exist_costs_as_much_work",
    ],
    3: [
        "tests/server/http/test_body.py::test_the_body_of_who_may_not_call_is_not_awaited",
        "tests/server/command/test_connection.py::test_a_body_that_does_not_come_is_not_awaited_for_ever",
    ],
    4: [f"{AUTHENTICATION}::test_nothing_answers_in_an_expired_organization"],
    5: [f"{AUTHENTICATION}::test_what_is_remembered_of_callers_is_bounded_and_tells_no_state"],
    6: [
        f"{AUTHENTICATION}::test_a_token_is_replayed_for_minutes_only_and_for_nobody_else",
        "tests/server/command/test_settle.py::test_what_others_reach_needs_tls_or_a_proxy",
    ],
    7: [
        (
            "tests/server/http/test_guesses.py"
            "::test_names_of_organizations_cannot_be_tried_without_end"
        ),
        "tests/server/http/test_guesses.py::test_wrong_tokens_cannot_be_tried_without_end",
        (
            "tests/server/http/test_guesses.py"
            "::test_who_has_a_valid_token_is_answered_beside_who_guesses"
        ),
    ],
    8: [
        f"{AUTHENTICATION}::test_where_anybody_may_begin_most_requests_begin_nothing",
        f"{AUTHENTICATION}::test_where_anybody_may_begin_a_refused_bootstrap_begins_nothing",
    ],
    9: [
        f"{TOTP}::test_many_keys_give_hardly_more_guesses_than_one",
        f"{TOTP}::test_the_sixth_wrong_code_makes_all_keys_wait",
    ],
    10: [
        f"{TOTP}::test_of_codes_that_come_together_no_more_are_looked_at",
        # On either engine.
        "tests/server/service/test_totp.py::test_of_a_hundred_codes_at_once_one_is_looked_at",
    ],
    11: [
        f"{TOTP}::test_nobody_is_locked_out_for_more_than_an_hour",
        f"{TOTP}::test_the_administration_ends_the_waiting",
    ],
    12: [
        f"{TOTP}::test_a_code_that_is_used_again_is_told_in_the_log",
        f"{TOTP}::test_a_code_is_worth_nothing_after_ninety_seconds",
    ],
    13: [
        f"{SECRETS}::test_the_administration_token_is_compared_in_constant_time",
        f"{SECRETS}::test_the_bootstrap_token_is_compared_in_constant_time",
        f"{SECRETS}::test_the_reveal_token_is_compared_in_constant_time",
        f"{SECRETS}::test_the_token_of_a_reset_is_compared_in_constant_time",
        f"{SECRETS}::test_all_accepted_codes_are_compared_in_constant_time",
    ],
    14: ["tests/server/service/test_totp.py::test_nothing_tells_whether_a_key_was_ever_created"],
    15: [
        f"{TOTP}::test_the_link_of_a_reset_expires",
        f"{TOTP}::test_freezing_takes_the_link_of_a_reset_away",
        f"{TOTP}::test_revoking_takes_the_link_of_a_reset_away",
        f"{TOTP}::test_who_confirms_while_being_frozen_does_it_before_or_not_at_all",
        f"{TOTP}::test_a_set_up_is_completed_once_by_whoever_comes_first",
    ],
    16: [f"{TOTP}::test_keys_beyond_a_quota_are_refused_and_none_is_deleted"],
    17: ["tests/server/store/test_sealed_columns.py::test_nothing_secret_is_in_the_database"],
    18: [f"{SECRETS}::test_no_log_holds_what_opens_anything"],
    19: [
        (
            "tests/server/service/test_invitation_mails.py"
            "::test_one_address_gets_so_many_whoever_invites_it"
        ),
        "tests/server/service/test_invitation_mails.py::test_one_author_sends_so_many",
        "tests/server/service/test_invite.py::test_an_old_invitation_opens_nothing",
    ],
    20: [
        f"{EVENTS}::test_a_frozen_administrator_greets_nobody",
        f"{EVENTS}::test_a_frozen_administrator_hears_nothing_of_what_happened_meanwhile",
    ],
    21: [f"{CERTIFICATES}::test_external_users_are_refused_where_the_operator_wants_it"],
    22: [f"{CERTIFICATES}::test_a_share_is_of_who_sets_up"],
    23: [f"{CERTIFICATES}::test_a_reveal_token_may_be_that_of_somebody_else"],
    24: [f"{CERTIFICATES}::test_owner_and_recipients_hear_of_a_recovery_and_nobody_else"],
    25: [
        f"{EVENTS}::test_while_a_stream_opens_only_its_own_events_are_collected",
        f"{EVENTS}::test_a_stream_that_fails_to_open_leaves_no_listener",
    ],
    26: [f"{EVENTS}::test_an_open_stream_follows_the_profile_of_its_user"],
    27: [
        (
            "tests/server/service/test_replay.py"
            "::test_what_was_for_others_is_not_told_to_who_comes_back"
        ),
    ],
    28: [f"{EVENTS}::test_a_busy_organization_makes_no_other_miss_anything"],
    29: [
        "tests/server/command/test_tls.py::test_those_of_the_past_are_not",
        "tests/server/command/test_tls.py::test_old_suites_are_refused",
    ],
    30: ["tests/server/http/test_admin.py::test_links_name_the_server_whatever_host_was_asked"],
    31: [
        (
            "tests/server/http/test_administration_access.py"
            "::test_from_elsewhere_the_right_token_is_a_wrong_one"
        ),
        (
            "tests/server/http/test_administration_access.py"
            "::test_from_elsewhere_it_cannot_be_tried_without_end"
        ),
        "tests/server/http/test_administration_access.py::test_each_action_is_written_down",
    ],
    32: [
        "tests/server/http/test_edge.py::test_browsers_are_told_to_be_careful",
        "tests/server/http/test_edge.py::test_no_page_loads_scripts_of_others",
    ],
    33: [
        (
            "tests/cli/test_administration_of_users.py"
            "::test_addresses_that_differ_by_case_only_are_warned_of"
        ),
    ],
    34: [
        "tests/server/command/test_settle.py::test_debug_mode_is_not_turned_on_by_a_common_name",
    ],
    35: [
        (
            "tests/server/outbound/test_webhook.py"
            "::test_whatever_a_service_does_the_organization_begins"
        ),
    ],
    36: [
        f"{UNKNOWN}::test_no_command_that_is_not_answered_fails",
        f"{UNKNOWN}::test_numbers_that_are_too_large_are_refused",
    ],
    37: [
        f"{CERTIFICATES}::test_nobody_invites_a_revoked_user_to_recover",
        f"{CERTIFICATES}::test_a_revoked_user_comes_back_by_no_invitation",
    ],
}


@pytest.mark.parametrize("row", ROWS)
def test_the_attack_is_tried(row: int) -> None:
    missing = [test for test in WHERE.get(row, []) if not _exists(test)]

    assert WHERE.get(row)
    assert missing == []


def test_operators_are_told_of_each() -> None:
    page = PAGE.read_text(encoding="utf-8")

    told = re.findall(r"^\| (\d+) \| [^|]+ \| [^|]+ \| [^|]*\|$", page, re.MULTILINE)

    assert [int(number) for number in told] == list(ROWS)


def _exists(test: str) -> bool:
    path, _, name = test.partition("::")
    file = ROOT / path
    if not file.exists():
        return False
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return any(isinstance(one, functions) and one.name == name for one in body)
