"""What the rest of the app does with people, passwords, sessions and one-time links, from the module of each noun.

Second factors, passkeys, the sign-in provider and precedence are used from their own modules.
"""

from app.accounts.factors import let_in as let_in
from app.accounts.invitations import Newcomer as Newcomer
from app.accounts.invitations import accept_invitation as accept_invitation
from app.accounts.invitations import create_setup_link as create_setup_link
from app.accounts.invitations import invite as invite
from app.accounts.invitations import newcomer as newcomer
from app.accounts.invitations import remove_ended_links as remove_ended_links
from app.accounts.invitations import revoke_invitation as revoke_invitation
from app.accounts.passwords import NewPassword as NewPassword
from app.accounts.passwords import authenticate as authenticate
from app.accounts.passwords import change_password as change_password
from app.accounts.passwords import check_password as check_password
from app.accounts.passwords import hashed as hashed
from app.accounts.passwords import new_password as new_password
from app.accounts.passwords import normal_password as normal_password
from app.accounts.passwords import note_refused_password as note_refused_password
from app.accounts.passwords import passwords as passwords
from app.accounts.people import end_sessions_of as end_sessions_of
from app.accounts.people import give_role as give_role
from app.accounts.people import may_change as may_change
from app.accounts.people import need_active as need_active
from app.accounts.people import normal_email as normal_email
from app.accounts.people import parse_role as parse_role
from app.accounts.people import rename as rename
from app.accounts.people import set_active as set_active
from app.accounts.people import set_role as set_role
from app.accounts.queries import token_hash as token_hash  # pages mark the current browser with it
from app.accounts.resets import choose_password as choose_password
from app.accounts.resets import create_reset as create_reset
from app.accounts.resets import create_reset_by_operator as create_reset_by_operator
from app.accounts.resets import revoke_reset as revoke_reset
from app.accounts.resets import use_reset as use_reset
from app.accounts.sessions import confirm as confirm
from app.accounts.sessions import end_all_sessions as end_all_sessions
from app.accounts.sessions import end_other_sessions as end_other_sessions
from app.accounts.sessions import end_session as end_session
from app.accounts.sessions import login_for_token as login_for_token
from app.accounts.sessions import note_refused_confirmation as note_refused_confirmation
from app.accounts.sessions import note_refused_sign_in as note_refused_sign_in
from app.accounts.sessions import note_refused_step as note_refused_step
from app.accounts.sessions import note_seen as note_seen
from app.accounts.sessions import people_of_tokens as people_of_tokens
from app.accounts.sessions import person_at as person_at
from app.accounts.sessions import person_of_ended as person_of_ended
from app.accounts.sessions import remove_ended_sessions as remove_ended_sessions
from app.accounts.sessions import renew_token as renew_token
from app.accounts.sessions import sign_out as sign_out
from app.accounts.sessions import start_session as start_session
from app.accounts.sessions import user_for_token as user_for_token
