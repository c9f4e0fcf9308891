"""The declaration of auth."""

from sampan.kernel.service import Service
from sampan.services.auth.actions import AuthActions
from sampan.services.auth.contract import Auth

service: Service[Auth] = Service(name="auth", contract=Auth, build=AuthActions)
