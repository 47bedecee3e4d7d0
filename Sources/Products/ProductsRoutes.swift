import Contracts
public import Kernel

extension Products {
    /// Every endpoint of `ProductsAPI`. What staff see is not kept by the edge: it may show what shoppers must not see.
    public var routes: [Route] { catalogueRoutes + stockRoutes }

    private var catalogueRoutes: [Route] {
        [
            Route(ProductsAPI.search) { query, context in
                let page = try await search(query, context)
                let tags = context.caller.isStaff ? [] : [Tags.catalogue]
                return Reply(page).with(\.next, page.next).with(\.tags, tags)
            },
            Route(ProductsAPI.product) { query, context in
                let product = try await product(query, context)
                let tags = context.caller.isStaff ? [] : [Tags.product(product.handle)]
                return Reply(product).with(\.version, product.version).with(\.tags, tags)
            },
            Route(ProductsAPI.categories) { input, context in
                Reply(try await categories(input, context)).with(\.tags, [Tags.catalogue])
            },
            Route(ProductsAPI.put) { draft, context in
                let product = try await put(draft, context)
                return Reply(product).with(\.version, product.version)
            },
            Route(ProductsAPI.importProducts, importProducts),
            Route(ProductsAPI.export) { query, context in
                let page = try await export(query, context)
                return Reply(page).with(\.next, page.next)
            },
        ]
    }

    private var stockRoutes: [Route] {
        [
            Route(ProductsAPI.inventory) { query, context in
                let (level, handle) = try await level(query, context)
                let tags = context.caller.isStaff ? [] : [Tags.product(handle)]
                return Reply(level).with(\.tags, tags)
            },
            Route(ProductsAPI.inventoryList) { query, context in
                let page = try await inventoryList(query, context)
                return Reply(page).with(\.next, page.next)
            },
            Route(ProductsAPI.adjust) { adjustment, context in
                let (level, isReplayed) = try await adjusted(adjustment, context)
                return Reply(level).with(\.isReplayed, isReplayed)
            },
            Route(ProductsAPI.movements, movements), Route(ProductsAPI.quote, quote),
            Route(ProductsAPI.reserve, reserve), Route(ProductsAPI.release, release),
            Route(ProductsAPI.commit, commit), Route(ProductsAPI.restock, restock),
        ]
    }
}
