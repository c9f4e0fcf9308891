"""The declaration of the stand-in for VNPay. It is never loaded in production."""

from sampan.kernel.jobs import every
from sampan.kernel.service import Service
from sampan.sandbox.vnpay import routes
from sampan.sandbox.vnpay.actions import VnpaySandboxActions
from sampan.sandbox.vnpay.contract import VnpaySandbox

service: Service[VnpaySandbox] = Service(
    name="vnpay_sandbox",
    contract=VnpaySandbox,
    build=VnpaySandboxActions,
    routes=(routes.routes,),
    jobs=(every(seconds=2, do="send_notices", wake_on=("vnpay_sandbox",)),),
    sandbox=True,
)
