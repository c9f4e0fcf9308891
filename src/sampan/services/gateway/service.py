"""The declaration of the gateway."""

from sampan.kernel.service import Service
from sampan.services.gateway import routes
from sampan.services.gateway.actions import GatewayActions
from sampan.services.gateway.contract import Gateway

service: Service[Gateway] = Service(name="gateway", contract=Gateway, build=GatewayActions, routes=(routes.routes,))
