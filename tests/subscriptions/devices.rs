//! Devices ask upstream for what their subscribers want.

use std::thread;

use nanomsg::{Socket, SocketType, Statistic, device};

use super::{
    PATIENCE, TRANSPORTS, address, count, open, subscriber, wait_for_connections, wait_until, wait_until_filtered,
    wait_until_heard,
};

/// A device between two addresses, running until its end at the publisher's side is closed.
struct Link {
    front: Socket,
    back: Socket,
}

impl Link {
    fn new(upstream: &str, downstream: &str, topics: &[&str]) -> Self {
        // Without a limit: a device that wakes by one would follow changes late.
        let (front, back) = (Socket::raw(SocketType::Sub).unwrap(), Socket::raw(SocketType::Pub).unwrap());
        for topic in topics {
            front.subscribe(topic).unwrap();
        }
        front.connect(upstream).unwrap();
        back.bind(downstream).unwrap();
        Self { front, back }
    }
}

/// Ends the devices with the scene, and with one that fails: the scope waits for their threads.
struct Running<'a>(Vec<&'a Socket>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        for front in &self.0 {
            // Where a device has ended by itself its test says what is wrong.
            let _ = front.close();
        }
    }
}

/// A publisher, two devices in a row, and where one connects to the last. The devices end with the scene.
fn chain(transport: &str, topics: &[&str], scene: impl Fn(&Socket, &str, &[Link; 2])) {
    front_to_back(&[transport; 3], topics, scene);
}

fn front_to_back(transports: &[&str; 3], topics: &[&str], scene: impl Fn(&Socket, &str, &[Link; 2])) {
    let places = transports.map(address);
    let [first, second, third] = [0, 1, 2].map(|place| places[place].0.as_str());
    let publisher = open(SocketType::Pub);
    publisher.bind(first).unwrap();
    let links = [Link::new(first, second, topics), Link::new(second, third, &[""])];
    thread::scope(|threads| {
        for link in &links {
            threads.spawn(|| device(&link.front, &link.back));
        }
        let _devices = Running(links.iter().map(|link| &link.front).collect());
        wait_for_connections(&publisher, 1);
        wait_for_connections(&links[0].back, 1);
        scene(&publisher, third, &links);
    });
}

#[test]
fn a_chain_of_two_forwards_and_unforwards() {
    for transport in TRANSPORTS {
        chain(transport, &[""], |publisher, last, links| {
            wait_until_filtered(publisher, 1);
            let (one, other) = (subscriber(&["a"]), subscriber(&["b"]));
            one.connect(last).unwrap();
            other.connect(last).unwrap();
            wait_until_heard(publisher, &one, "a1");
            wait_until_heard(publisher, &other, "b1");
            let before = count(publisher, Statistic::MessagesFiltered);
            publisher.send("c1").unwrap();
            publisher.send("a2").unwrap();
            assert_eq!(one.recv().unwrap(), "a2");
            assert_eq!(count(publisher, Statistic::MessagesFiltered), before + 1, "c1 has not left the publisher");
            // While no message flows: the devices follow by themselves.
            one.subscribe("c").unwrap();
            wait_until_heard(publisher, &one, "c2");
            one.unsubscribe("c").unwrap();
            wait_until("nobody wants c any more", || unwanted(publisher, "c3"));
            drop(other);
            wait_until("nobody wants b any more", || unwanted(publisher, "b2"));
            drop(one);
            wait_until("nobody wants anything", || unwanted(publisher, "a3"));
            wait_for_connections(&links[1].back, 0);
        });
    }
}

fn unwanted(publisher: &Socket, message: &str) -> bool {
    let before = count(publisher, Statistic::MessagesFiltered);
    publisher.send(message).unwrap();
    count(publisher, Statistic::MessagesFiltered) > before
}

#[test]
fn a_device_asks_for_nothing_but_what_its_application_has_subscribed() {
    for transports in [["tcp"; 3], ["inproc"; 3], ["tcp", "inproc", "ipc"], ["inproc", "ws", "inproc"]] {
        front_to_back(&transports, &["news.", "weather.rain"], |publisher, last, _| {
            wait_until_filtered(publisher, 1);
            let all = subscriber(&[""]);
            all.connect(last).unwrap();
            wait_until_heard(publisher, &all, "news.1");
            assert!(unwanted(publisher, "weather.sun"));
            drop(all);
            let narrow = subscriber(&["news.sport", "weather"]);
            narrow.connect(last).unwrap();
            wait_until_heard(publisher, &narrow, "news.sport 1");
            wait_until("only sport", || unwanted(publisher, "news.1"));
            wait_until_heard(publisher, &narrow, "weather.rain 1");
            assert!(unwanted(publisher, "weather.sun"));
        });
    }
}

#[test]
fn with_a_subscriber_who_cannot_tell_a_device_asks_for_all_it_has_subscribed() {
    chain("tcp", &["a", "b"], |publisher, last, links| {
        wait_until_filtered(publisher, 1);
        let classic = subscriber(&["b"]);
        classic.set_forward_subscriptions(false).unwrap();
        classic.connect(last).unwrap();
        wait_until_heard(publisher, &classic, "b1");
        let sent = count(&links[1].back, Statistic::MessagesSent);
        publisher.send("a1").unwrap();
        wait_until("a goes there too", || count(&links[1].back, Statistic::MessagesSent) == sent + 1);
        assert!(unwanted(publisher, "c1"));
        drop(classic);
        wait_until("nobody is there", || unwanted(publisher, "b2"));
    });
}

#[test]
fn without_its_device_a_raw_subscriber_asks_for_its_own() {
    let (upstream, _folder) = address("tcp");
    let (downstream, _folder) = address("tcp");
    let publisher = open(SocketType::Pub);
    publisher.bind(&upstream).unwrap();
    let link = Link::new(&upstream, &downstream, &["a"]);
    thread::scope(|threads| {
        let device = threads.spawn(|| device(&link.front, &link.back));
        wait_until_filtered(&publisher, 1);
        wait_until("nobody wants a", || unwanted(&publisher, "a1"));
        link.back.close().unwrap();
        wait_until("the device meets a message it cannot pass on", || {
            publisher.send("a2").unwrap();
            device.is_finished()
        });
    });
    link.front.set_recv_timeout(Some(PATIENCE)).unwrap();
    wait_until_heard(&publisher, &link.front, "a3");
}

#[test]
fn several_devices_into_one_socket_each_follow_and_go_on_without_the_others() {
    for transport in TRANSPORTS {
        let places = [0; 3].map(|_| address(transport));
        let [one, other, joined] = [0, 1, 2].map(|place| places[place].0.as_str());
        let publishers = [one, other].map(|place| {
            let publisher = open(SocketType::Pub);
            publisher.bind(place).unwrap();
            publisher
        });
        let back = Socket::raw(SocketType::Pub).unwrap();
        back.bind(joined).unwrap();
        let fronts = [one, other].map(|place| {
            let front = Socket::raw(SocketType::Sub).unwrap();
            front.subscribe("").unwrap();
            front.connect(place).unwrap();
            front
        });
        thread::scope(|threads| {
            let devices = fronts.each_ref().map(|front| threads.spawn(|| device(front, &back)));
            let _devices = Running(fronts.iter().collect());
            publishers.iter().for_each(|publisher| wait_for_connections(publisher, 1));
            let sub = subscriber(&["first"]);
            sub.connect(joined).unwrap();
            for publisher in &publishers {
                wait_until_heard(publisher, &sub, "first");
            }
            for topic in ["second", "third"] {
                sub.subscribe(topic).unwrap();
                for publisher in &publishers {
                    wait_until_heard(publisher, &sub, topic);
                }
            }
            let [front, remaining] = &fronts;
            front.close().unwrap();
            let [device, last] = devices;
            assert!(device.join().is_ok());
            sub.subscribe("fourth").unwrap();
            wait_until_heard(&publishers[1], &sub, "fourth");
            remaining.close().unwrap();
            assert!(last.join().is_ok());
        });
    }
}
