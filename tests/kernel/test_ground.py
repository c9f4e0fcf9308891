async def test_the_shop_composes_and_settles(shop):
    await shop.settle()
    answer = await shop.http.get("/nowhere")
    assert answer.status_code == 404
    assert answer.json()["code"] == "kernel.no_such_address"
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
