# SPDX-License-Identifier: MIT
"""Reads policies as authentik-client does: test_client.py runs this file with the client of one release in its path.

On standard input, for each database, where it is served and which policies it has; on standard output what became of each
policy: what the client's object holds, the names of the properties that it refuses, or the status of another answer."""
import json
import sys

import authentik_client
from pydantic import ValidationError

CHOICES = {"action": authentik_client.EventActions, "app": authentik_client.AppEnum, "model": authentik_client.ModelEnum}


def read(api, uuid):
    try:
        return api.policies_event_matcher_retrieve(policy_uuid=uuid).model_dump(mode="json")
    except ValidationError as error:
        return sorted({problem["loc"][0] for problem in error.errors()})
    except authentik_client.ApiException as error:
        return error.status


def read_all(host, key, uuids):
    configuration = authentik_client.Configuration(host=host, access_token=key)
    with authentik_client.ApiClient(configuration) as client:
        api = authentik_client.PoliciesApi(client)
        return {uuid: read(api, uuid) for uuid in uuids}


json.dump({"choices": {name: [choice.value for choice in choices] for name, choices in CHOICES.items()},
           "read": {database: read_all(*asked) for database, asked in json.load(sys.stdin).items()}}, sys.stdout)
