namespace Quire.Samples.KestrelHolders;

/// <summary>Takes a request's body into page memory, in one piece of its exact length.</summary>
internal static class Body
{
    private const int Largest = 1 << 20;

    /// <exception cref="BadHttpRequestException">No length is declared, or the body is larger than 1 MiB.</exception>
    public static async Task<PageMemory> ReadAsync(HttpRequest request, QuireMemoryPool pool, CancellationToken cancellationToken)
    {
        if (request.ContentLength is not (>= 0 and <= Largest))
        {
            throw new BadHttpRequestException($"Send a body with its length, at most {Largest} bytes.", StatusCodes.Status413PayloadTooLarge);
        }

        // Waits while the memory is used up, so a flood of uploads makes clients wait and not the server fail.
        PageMemory body = await pool.RentAsync((int)request.ContentLength, cancellationToken);
        try
        {
            await request.Body.ReadExactlyAsync(body.Memory, cancellationToken);
            return body;
        }
        catch
        {
            body.Dispose();
            throw;
        }
    }
}
