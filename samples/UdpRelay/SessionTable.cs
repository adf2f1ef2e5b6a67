namespace Quire.Samples.UdpRelay;

/// <summary>The open sessions by client, and in the order in which their clients last sent.</summary>
/// <remarks>
/// One owner: the forwarding thread. Invariant: the list from <see cref="Oldest"/> over <see cref="Session.Newer"/>
/// holds exactly the sessions of the dictionary, with <see cref="Session.LastQuery"/> never falling along it.
/// </remarks>
internal sealed class SessionTable
{
    private readonly Dictionary<ClientAddress, Session> _byClient = [];
    private Session? _newest;

    internal int Count => _byClient.Count;

    /// <summary>The session whose client has been silent longest.</summary>
    internal Session? Oldest { get; private set; }

    internal Session? Find(in ClientAddress client) => _byClient.GetValueOrDefault(client);

    internal void Add(Session session)
    {
        _byClient.Add(session.Client, session);
        Append(session);
    }

    internal void Remove(Session session)
    {
        _byClient.Remove(session.Client);
        Unlink(session);
    }

    /// <summary>The client sent at <paramref name="now"/>.</summary>
    internal void Touch(Session session, long now)
    {
        session.LastQuery = now;
        if (session != _newest)
        {
            Unlink(session);
            Append(session);
        }
    }

    private void Append(Session session)
    {
        session.Older = _newest;
        session.Newer = null;
        if (_newest is null)
        {
            Oldest = session;
        }
        else
        {
            _newest.Newer = session;
        }

        _newest = session;
    }

    private void Unlink(Session session)
    {
        if (session.Older is null)
        {
            Oldest = session.Newer;
        }
        else
        {
            session.Older.Newer = session.Newer;
        }

        if (session.Newer is null)
        {
            _newest = session.Older;
        }
        else
        {
            session.Newer.Older = session.Older;
        }

        session.Older = session.Newer = null;
    }
}
