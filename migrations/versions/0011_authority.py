"""Store the role that withdrew, archived, locked or deleted something, so that lower roles cannot undo it.

Also: who redid a picture; whether an export has other people's pictures; campaigns in which nobody approves their own.
"""

import json
from collections import defaultdict

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

AS = {"rights_records": "made_as", "image_sets": "locked_as", "styles": "archived_as", "subjects": "archived_as"}


def upgrade() -> None:
    for name, column in AS.items():
        with op.batch_alter_table(name) as table:
            table.add_column(sa.Column(column, sa.String(length=16)))
    with op.batch_alter_table("campaigns") as table:
        # Existing campaigns stay as they are; new ones bring their own value.
        table.add_column(sa.Column("four_eyes", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("campaigns") as table:
        table.alter_column("four_eyes", server_default=None)
    with op.batch_alter_table("exports") as table:
        table.add_column(sa.Column("of_others", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("exports") as table:
        table.alter_column("of_others", server_default=None)
    triggers = triggers_of_images()
    with op.batch_alter_table("images") as table:
        table.add_column(sa.Column("made_by_id", sa.Integer()))
        table.add_column(sa.Column("deleted_as", sa.String(length=16)))
        table.create_foreign_key("fk_images_made_by_id", "users", ["made_by_id"], ["id"])
    for statement in triggers:
        op.execute(statement)
    from_what_is_known()
    with op.batch_alter_table("rights_records") as table:
        table.alter_column("made_as", existing_type=sa.String(length=16), nullable=False)


def triggers_of_images() -> list[str]:
    """Triggers that are lost when the table is recreated."""
    found = op.get_bind().exec_driver_sql("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'images'")
    return [row[0] for row in found]


def from_what_is_known() -> None:
    """Fill in the roles from the record."""
    run = op.get_bind().exec_driver_sql
    present = dict(run("SELECT id, role FROM users").fetchall())
    changes = defaultdict(list)  # by person: when the role was changed, and from what
    for person, at, details in run(
        "SELECT subject_id, at, details FROM audit_events WHERE act = 'account:user:change' ORDER BY id"
    ).fetchall():
        if role := json.loads(details).get("role"):
            changes[person].append((at, role[0]))

    def role_at(person: int | None, at: str) -> str | None:
        return next((before for when, before in changes[person] if when >= at), present.get(person))

    for row_id, person, at, uploader in run(
        "SELECT r.id, r.made_by_id, r.created_at, f.uploaded_by_id FROM rights_records r "
        'JOIN "references" f ON f.id = r.reference_id'
    ).fetchall():
        role = role_at(person, at)
        if person != uploader and role not in ("manager", "admin"):
            role = "manager"  # or they could not have done it
        run("UPDATE rights_records SET made_as = ? WHERE id = ?", (role, row_id))
    for table, at_column, by_column, column in (
        ("image_sets", "locked_at", "locked_by_id", "locked_as"),
        ("images", "deleted_at", "deleted_by_id", "deleted_as"),
    ):
        rows = run(f"SELECT id, {by_column}, {at_column} FROM {table} WHERE {at_column} IS NOT NULL").fetchall()
        for row_id, person, at in rows:
            run(f"UPDATE {table} SET {column} = ? WHERE id = ?", (role_at(person, at), row_id))
    for table, act in (("styles", "style:style:archive"), ("subjects", "subject:subject:archive")):
        latest = run(
            f"SELECT t.id, e.user_id, e.at FROM {table} t JOIN audit_events e ON e.id = (SELECT max(id) FROM"
            " audit_events "
            "WHERE act = ? AND subject_id = t.id) WHERE t.archived_at IS NOT NULL",
            (act,),
        ).fetchall()
        for row_id, person, at in latest:
            run(f"UPDATE {table} SET archived_as = ? WHERE id = ?", (role_at(person, at), row_id))
    run(
        "UPDATE exports SET of_others = EXISTS (SELECT 1 FROM export_files f JOIN images i ON i.id = f.image_id "
        "WHERE f.export_id = exports.id AND i.owner_id <> exports.made_by_id)"
    )
    for image_id, person, details in run(
        "SELECT subject_id, user_id, details FROM audit_events WHERE act = 'set:image:again'"
    ).fetchall():
        for version in json.loads(details).get("versions", ()):
            run(
                "UPDATE images SET made_by_id = ? WHERE version = ? AND (set_id, position) = "
                "(SELECT set_id, position FROM images WHERE id = ?)",
                (person, version, image_id),
            )


def downgrade() -> None:
    triggers = triggers_of_images()
    with op.batch_alter_table("images") as table:
        table.drop_constraint("fk_images_made_by_id", type_="foreignkey")
        table.drop_column("made_by_id")
        table.drop_column("deleted_as")
    for statement in triggers:
        op.execute(statement)
    for name, column in {**AS, "campaigns": "four_eyes", "exports": "of_others"}.items():
        with op.batch_alter_table(name) as table:
            table.drop_column(column)
