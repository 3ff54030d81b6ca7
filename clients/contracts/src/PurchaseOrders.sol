// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// Orders between companies that share a ledger: a buyer orders, the seller accepts, a carrier ships, the buyer pays.
contract PurchaseOrders {
    enum State { None, Created, Accepted, Shipped, Paid }

    struct Order {
        address buyer;
        uint96 price;
        address seller;
        State state;
        address carrier;
        uint64 shippedAt;
        bytes32 goods;
        bytes32 waybill;
    }

    mapping(bytes32 => Order) public orders;

    event OrderCreated(bytes32 indexed id, address indexed buyer, address indexed seller, bytes32 goods, uint96 price);
    event OrderAccepted(bytes32 indexed id, address indexed seller, address indexed carrier);
    event OrderShipped(bytes32 indexed id, address indexed carrier, bytes32 waybill);
    event OrderPaid(bytes32 indexed id, address indexed buyer, address indexed seller, uint96 price);

    error WrongState(bytes32 id, State state);
    error WrongRole(bytes32 id, address caller);
    error WrongAmount(bytes32 id, uint256 offered, uint96 price);
    error PaymentFailed(bytes32 id);

    /// The caller becomes the buyer. The id is the buyer's choice and new.
    function create(bytes32 id, address seller, bytes32 goods, uint96 price) external {
        Order storage order = inState(id, State.None);
        order.buyer = msg.sender;
        order.price = price;
        order.seller = seller;
        order.goods = goods;
        order.state = State.Created;
        emit OrderCreated(id, msg.sender, seller, goods, price);
    }

    /// The seller's word, and who will carry the goods.
    function accept(bytes32 id, address carrier) external {
        Order storage order = inState(id, State.Created);
        only(id, order.seller);
        order.carrier = carrier;
        order.state = State.Accepted;
        emit OrderAccepted(id, msg.sender, carrier);
    }

    /// The carrier has the goods.
    function ship(bytes32 id, bytes32 waybill) external {
        Order storage order = inState(id, State.Accepted);
        only(id, order.carrier);
        order.waybill = waybill;
        order.shippedAt = uint64(block.timestamp);
        order.state = State.Shipped;
        emit OrderShipped(id, msg.sender, waybill);
    }

    /// The buyer pays the seller.
    function pay(bytes32 id) external payable {
        Order storage order = inState(id, State.Shipped);
        only(id, order.buyer);
        if (msg.value != order.price) revert WrongAmount(id, msg.value, order.price);
        order.state = State.Paid;
        address seller = order.seller;
        emit OrderPaid(id, msg.sender, seller, order.price);
        (bool paid, ) = seller.call{value: msg.value}("");
        if (!paid) revert PaymentFailed(id);
    }

    function inState(bytes32 id, State state) private view returns (Order storage order) {
        order = orders[id];
        if (order.state != state) revert WrongState(id, order.state);
    }

    function only(bytes32 id, address role) private view {
        if (msg.sender != role) revert WrongRole(id, msg.sender);
    }
}
