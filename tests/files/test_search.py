"""What is searched for by words is found, best first, in whatever language."""

import pytest

from streamlit_assistant.file_records import NewChunk, SearchResult, VectorStore
from streamlit_assistant.store import Store
from tests.bench.texts import chinese, english
from tests.factories import OWNER
from tests.files.shelf import Shelf

pytestmark = pytest.mark.both_databases

HANDBOOK = {
    "leave": "员工入职满一年后享有每年十五天的带薪年假。年假须提前两周申请，"
    "未休完的年假可以顺延到次年三月。",
    "travel": "出差的交通费和住宿费凭发票报销，报销单须在回来后一周内提交财务部，"
    "超过标准的部分由员工自己承担。",
    "security": "笔记本电脑必须设置密码并且加密硬盘。发现信息泄露要立即通知信息安全小组，"
    "不得自行处理。",
    "health": "公司每年组织一次体检，体检费用由公司支付。孕期员工可以增加两次检查，"
    "结果只告诉本人。",
    "training": "新员工在第一个月参加培训课程，内容包括产品知识、销售技巧和机器学习入门。",
    "parking": "地下车库的停车位按照部门分配，访客的车辆请停在东门外的临时停车场。",
}
MANUAL = {
    "install": "Installing the server takes one command. The installer starts a service.",
    "backup": "Backups are made every night. To restore one, stop the service, copy the backup.",
    "network": "The proxy forwards requests; set its address with HTTP_PROXY in v1.2.3.",
    "accounts": "Users sign in with their account. Administrators can reset their passwords.",
}


@pytest.fixture
def shelf(store: Store) -> Shelf:
    return Shelf(store)


@pytest.fixture
async def handbook(shelf: Shelf) -> VectorStore:
    return await filled(shelf, HANDBOOK)


@pytest.fixture
async def manual(shelf: Shelf) -> VectorStore:
    return await filled(shelf, MANUAL)


async def filled(shelf: Shelf, texts: dict[str, str]) -> VectorStore:
    where = await shelf.vector_store()
    for name, text in texts.items():
        await shelf.put(where, text, filename=name)
    return where


def names(found: list[SearchResult]) -> list[str]:
    return [result.filename for result in found]


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("年假", "leave"),
        ("报销", "travel"),
        ("体检", "health"),
        ("带薪年假有多少天？", "leave"),
        ("出差回来怎么报销住宿费", "travel"),
        ("车位", "parking"),
        ("停车场", "parking"),
        ("硬盘加密", "security"),
        ("信息泄露了应该通知谁", "security"),
        ("机器学习", "training"),
        ("請問年假", "leave"),
        ("孕", "health"),
        ("培训 training", "training"),
    ],
)
async def test_chinese_words_of_any_length_find_their_paragraph_first(
    shelf: Shelf, handbook: VectorStore, query: str, best: str
) -> None:
    found = await shelf.find(handbook, query=query)

    assert found[0].filename == best
    assert found[0].text == HANDBOOK[best]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("能带狗来公司吗", "dogs"),
        ("生病了要通知谁", "illness"),
        ("客人来访需要戴什么", "badges"),
    ],
)
async def test_chinese_that_says_it_in_other_words_is_found_by_its_characters(
    shelf: Shelf, query: str, wanted: str
) -> None:
    where = await filled(
        shelf,
        {
            "dogs": "狗只允许进入二楼，且不得进入会议室。",
            "illness": "病假须在当天上午九点半之前告知直属经理。",
            "badges": "访客须在前台登记并佩戴黄色胸牌。",
            "cars": "公司车辆可以私用，油费由驾驶人承担。",
            "probation": "试用期为六个月，通知期为两周。",
            "printing": "彩色打印需要填写部门成本中心代码。",
            "wages": "工资于每月二十五日发放。",
        },
    )

    found = await shelf.find(where, query=query)

    assert wanted in names(found)[:3]


async def test_a_single_character_of_an_unknown_word_finds_nothing(
    shelf: Shelf, handbook: VectorStore
) -> None:
    assert await shelf.find(handbook, query="学潮") == []
    assert names(await shelf.find(handbook, query="学潮知道")) != []


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("How do I install it?", "install"),
        ("installation", "install"),
        ("restoring from a BACKUP", "backup"),
        ("http_proxy", "network"),
        ("v1.2.3", "network"),
        ("password reset for a user", "accounts"),
        ("administrator's", "accounts"),
    ],
)
async def test_english_words_are_found_in_all_their_forms(
    shelf: Shelf, manual: VectorStore, query: str, best: str
) -> None:
    assert (await shelf.find(manual, query=query))[0].filename == best


async def test_what_is_nowhere_is_not_found(
    shelf: Shelf, handbook: VectorStore, manual: VectorStore
) -> None:
    assert await shelf.find(handbook, manual, query="量子力学") == []
    assert await shelf.find(handbook, manual, query="zebra") == []


@pytest.mark.parametrize("query", ['"', "AND OR NOT", "store:s1", "*", 'a" OR "b', "!?", " ", "()"])
async def test_no_sign_of_a_query_has_a_meaning_of_its_own(
    shelf: Shelf, handbook: VectorStore, query: str
) -> None:
    assert await shelf.find(handbook, query=query) == []


async def test_a_long_document_is_found_by_the_passage_that_answers(shelf: Shelf) -> None:
    where = await shelf.vector_store()
    await shelf.put(where, chinese(60_000) + HANDBOOK["leave"] + chinese(60_000, seed=2))
    await shelf.put(where, english(60_000) + MANUAL["backup"] + english(60_000, seed=2))

    assert "带薪年假" in (await shelf.find(where, query="带薪年假顺延"))[0].text
    assert "Backups are made" in (await shelf.find(where, query="restore nightly backups"))[0].text


async def test_the_score_is_the_share_of_the_query_that_a_chunk_holds(
    shelf: Shelf, manual: VectorStore
) -> None:
    all_of_it = (await shelf.find(manual, query="restore backup"))[0].score
    some_of_it = (await shelf.find(manual, query="restore zebra stripes"))[0].score

    assert all_of_it == pytest.approx(1.0)
    assert 0.2 < some_of_it < 0.8


async def test_scores_fall_and_the_threshold_holds(shelf: Shelf, manual: VectorStore) -> None:
    query = "stop the service and reset passwords"
    found = await shelf.find(manual, query=query)
    scores = [result.score for result in found]

    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)
    cut = await shelf.find(manual, query=query, score_threshold=scores[1])
    assert names(cut) == names(found)[:2]
    assert await shelf.find(manual, query="zebra stripes backup", score_threshold=0.9) == []


async def test_no_more_are_returned_than_asked_for(shelf: Shelf) -> None:
    where = await filled(shelf, {str(number): f"common words {number}" for number in range(60)})

    assert len(await shelf.find(where, query="common", max_num_results=7)) == 7
    assert len(await shelf.find(where, query="common", max_num_results=50)) == 50
    assert len(await shelf.find(where, query="common")) == 10


async def test_a_chunk_counts_by_the_query_it_fits_best(shelf: Shelf, manual: VectorStore) -> None:
    found = await shelf.find(manual, queries=["restore a backup", "reset passwords", "  "])

    assert set(names(found)[:2]) == {"backup", "accounts"}
    assert found[1].score == pytest.approx(1.0)


async def test_neighbours_do_not_take_the_places_of_others(shelf: Shelf) -> None:
    where = await shelf.vector_store()
    waiting = await shelf.wait(where, filename="long")
    overlapping = [NewChunk(f"tea {number}", "tea tea tea green", number) for number in range(6)]
    await shelf.index(waiting, overlapping)
    await shelf.put(where, "Green tea and nothing else", filename="short")

    few = await shelf.find(where, query="green tea", max_num_results=4)
    every = await shelf.find(where, query="green tea", max_num_results=20)

    assert names(few).count("short") == 1
    assert {result.text for result in few if result.filename == "long"} == {
        "tea 0",
        "tea 2",
        "tea 4",
    }
    assert len(every) == 7
    assert [result.score for result in every] == sorted((r.score for r in every), reverse=True)


async def test_several_vector_stores_are_ranked_together(
    shelf: Shelf, handbook: VectorStore, manual: VectorStore
) -> None:
    found = await shelf.find(handbook, manual, queries=["年假", "restore a backup"])

    assert set(names(found)[:2]) == {"leave", "backup"}


async def test_other_vector_stores_are_not_searched(
    shelf: Shelf, handbook: VectorStore, manual: VectorStore
) -> None:
    assert await shelf.find(manual, query="年假") == []
    assert await shelf.find(query="年假") == []
    assert names(await shelf.find(handbook, query="年假")) == ["leave"]


async def test_a_text_that_names_another_vector_store_does_not_enter_it(shelf: Shelf) -> None:
    mine, other = await shelf.vector_store(), await shelf.vector_store()
    await shelf.put(other, f"s{mine.seq} treasure")

    assert await shelf.find(mine, query=f"treasure s{mine.seq}") == []


async def test_the_same_file_in_two_vector_stores_is_found_once_in_each(shelf: Shelf) -> None:
    one, other = await shelf.vector_store(), await shelf.vector_store()
    for where in (one, other):
        await shelf.put(where, "the same words")

    assert len(await shelf.find(one, query="same words")) == 1


async def test_only_what_is_indexed_is_found(shelf: Shelf, store: Store) -> None:
    where = await shelf.vector_store()
    waiting = await shelf.wait(where)
    await shelf.search.store_chunks(waiting, [NewChunk("hidden", "hidden")])

    assert await shelf.find(where, query="hidden") == []
    await store.index_queue.complete(waiting, 1)
    assert len(await shelf.find(where, query="hidden")) == 1


async def test_a_file_that_was_taken_out_is_no_longer_found(
    shelf: Shelf, store: Store, manual: VectorStore
) -> None:
    (found,) = await shelf.find(manual, query="proxy")

    await store.vector_store_files.remove(manual.id, found.file_id)

    assert await shelf.find(manual, query="proxy") == []


async def test_a_deleted_vector_store_is_not_searched_while_its_chunks_are_being_removed(
    shelf: Shelf, store: Store, manual: VectorStore
) -> None:
    await store.vector_stores.delete(OWNER, manual.id)

    assert await shelf.find(manual, queries=["backup"]) == []


async def test_filters_choose_among_the_files(shelf: Shelf) -> None:
    where = await shelf.vector_store()
    for year in (2023, 2024, 2025):
        attributes = {"year": year, "draft": year == 2025}
        await shelf.put(where, "annual report", filename=str(year), attributes=attributes)
    late = {"type": "gte", "key": "year", "value": 2024}
    final = {"type": "eq", "key": "draft", "value": False}

    found = await shelf.find(
        where, query="report", filters={"type": "and", "filters": [late, final]}
    )

    assert names(found) == ["2024"]
    assert found[0].attributes == {"year": 2024, "draft": False}
    nobody = {"type": "eq", "key": "year", "value": "2024"}
    assert await shelf.find(where, query="report", filters=nobody) == []


async def test_a_filter_finds_its_file_among_many_better_ones(shelf: Shelf) -> None:
    where = await shelf.vector_store()
    for _ in range(120):
        await shelf.put(where, "tea tea tea", filename="other", attributes={"mine": False})
    await shelf.put(where, f"tea {english(2_000)}", filename="mine", attributes={"mine": True})

    found = await shelf.find(
        where, query="tea", filters={"type": "eq", "key": "mine", "value": True}
    )

    assert set(names(found)) == {"mine"}


async def test_common_words_alone_are_found_too(shelf: Shelf) -> None:
    where = await filled(shelf, {str(number): "the company" for number in range(30)})

    assert len(await shelf.find(where, query="company", max_num_results=50)) == 30
    assert len(await shelf.find(where, query="the", max_num_results=50)) == 30


async def test_a_result_names_its_file(shelf: Shelf, store: Store) -> None:
    where = await shelf.vector_store()
    put = await shelf.put(where, "findable", filename="报告.pdf", attributes={"a": "b"})

    (found,) = await shelf.find(where, query="findable")

    assert (found.file_id, found.filename) == (put.id, "报告.pdf")
    assert (await store.files.get(OWNER, put.id, 0)).filename == "报告.pdf"
    assert (found.text, found.attributes) == ("findable", {"a": "b"})
